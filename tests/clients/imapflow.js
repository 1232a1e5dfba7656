// Drives imapflow against a server; prints what it saw as JSON.
'use strict';
const fs = require('fs');
const { ImapFlow } = require('imapflow');

const [port, secure, user, pass, ca] = process.argv.slice(2);

function connect() {
	return new ImapFlow({
		host: '127.0.0.1', port: Number(port), secure: secure === 'true',
		auth: { user, pass }, logger: false, tls: { ca: fs.readFileSync(ca) },
	});
}

function message(i, subject) {
	return Buffer.from(`From: a@example.org\r\nTo: b@example.org\r\nSubject: ${subject}\r\n` +
		`Message-ID: <${i}@example.org>\r\nMIME-Version: 1.0\r\n` +
		`Content-Type: text/plain; charset=utf-8\r\n\r\nmessage ${i} with ünïcode\r\n`);
}

async function main() {
	const out = {};
	const c = connect();
	await c.connect();
	await c.mailboxCreate('box');
	await c.mailboxCreate('Sünde');
	await c.mailboxSubscribe('box');
	out.boxes = (await c.list()).map((m) => m.path).sort();
	const sent = connect();
	await sent.connect();
	const made = await sent.exec('CREATE', [{ type: 'ATOM', value: 'Sent' },
		[{ type: 'ATOM', value: 'USE' }, [{ type: 'ATOM', value: '\\Sent' }]]]);
	made.next();
	out.sent = ((await sent.list()).find((m) => m.path === 'Sent') || {}).specialUse;
	await sent.mailboxDelete('Sent');

	const bodies = [message(1, 'one'), message(2, '=?UTF-8?B?R3LDvMOfZQ==?='), message(3, 'three')];
	out.uids = [];
	for (const b of bodies)
		out.uids.push((await c.append('box', b, ['\\Seen'], new Date('2001-02-03T04:05:06Z'))).uid);
	await c.mailboxOpen('box');
	let same = true;
	for await (const m of c.fetch('1:*', { uid: true, source: true, envelope: true, flags: true,
		bodyStructure: true, internalDate: true, size: true })) {
		const b = bodies[m.seq - 1];
		same = same && m.source.equals(b) && m.size === b.length && m.flags.has('\\Seen') &&
			m.internalDate.toISOString() === '2001-02-03T04:05:06.000Z' &&
			m.bodyStructure.type === 'text/plain';
		if (m.seq === 2)
			out.subject = m.envelope.subject;
	}
	out.same = same;
	out.found = await c.search({ subject: 'Grüße' });
	await c.messageFlagsSet('1', ['\\Flagged', '$Important']);
	out.flags = [...(await c.fetchOne('1', { flags: true })).flags].filter((f) => f !== '\\Recent').sort();
	const moved = await c.messageMove('1', 'INBOX');
	out.moved = moved.uidMap.size;
	out.left = c.mailbox.exists;

	const told = new Promise((done) => c.on('exists', (e) => done(e.count)));
	const idle = c.idle();
	await new Promise((done) => setTimeout(done, 300));
	await sent.append('box', bodies[0]);
	out.exists = await told;
	await c.noop();
	await idle;
	await sent.logout();
	await c.logout();
	process.stdout.write(JSON.stringify(out));
}

main().catch((e) => { console.error(e); process.exit(1); });
