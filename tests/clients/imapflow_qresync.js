// imapflow with QRESYNC: two connections, one that watches; prints what it saw as JSON.
'use strict';
const fs = require('fs');
const { ImapFlow } = require('imapflow');

const [port, user, pass, ca] = process.argv.slice(2);

function connect() {
	return new ImapFlow({
		host: '127.0.0.1', port: Number(port), secure: true, qresync: true,
		auth: { user, pass }, logger: false, tls: { ca: fs.readFileSync(ca) },
	});
}

function message(i) {
	return Buffer.from(`From: a@example.org\r\nSubject: ${i}\r\n\r\nmessage ${i}\r\n`);
}

async function main() {
	const out = { expunged: [], flags: [], earlier: [], changed: [] };
	const c = connect();
	await c.connect();
	out.enabled = [...c.enabled].filter((e) => e === 'CONDSTORE' || e === 'QRESYNC').sort();
	await c.mailboxCreate('box');
	for (let i = 1; i <= 6; i++)
		await c.append('box', message(i));
	let box = await c.mailboxOpen('box');
	const uidValidity = box.uidValidity;
	const start = box.highestModseq;
	out.hasModseq = typeof start === 'bigint' && start > 0n;
	c.on('expunge', (e) => out.expunged.push([e.uid, e.vanished, e.earlier]));
	c.on('flags', (e) => out.flags.push([e.uid, typeof e.modseq, [...e.flags].includes('\\Flagged')]));

	const w = connect();
	await w.connect();
	await w.mailboxOpen('box');
	await w.messageFlagsAdd('2', ['\\Flagged'], { uid: true });
	await w.messageDelete('3:4', { uid: true });
	await c.noop();
	// a STORE that came too late
	out.late = await c.messageFlagsAdd('2', ['\\Answered'], { uid: true, unchangedSince: start });
	out.conflict = await c.messageFlagsSet('2', ['\\Draft'], { uid: true, unchangedSince: start });
	out.after = [...(await c.fetchOne('2', { flags: true }, { uid: true })).flags].includes('\\Draft');
	for await (const m of c.fetch('1:*', { uid: true, flags: true }, { uid: true, changedSince: start }))
		out.changed.push(m.uid);
	await c.mailboxClose();

	// what went while it was away
	await w.messageDelete('6', { uid: true });
	await w.messageFlagsAdd('5', ['\\Flagged'], { uid: true });
	out.expunged.push('away');
	out.flags.push('away');
	box = await c.mailboxOpen('box', { changedSince: start, uidValidity });
	out.qresync = box.qresync;
	out.exists = box.exists;
	await w.logout();
	await c.logout();
	process.stdout.write(JSON.stringify(out));
}

main().catch((e) => { console.error(e); process.exit(1); });
