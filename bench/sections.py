"""What is measured. A section prepares once; then its cells run in turn, every round."""

from peers import say

MANY = 16


class Cell:
    """One measurement of one server: row `row`, column `series`, a number a round."""

    def __init__(self, row, series, run, peers):
        self.row, self.series, self.run, self.peers = row, series, run, peers


class Section:
    rounds_most = 100

    def __init__(self, bench):
        self.bench, self.quick = bench, bench.quick

    def peer(self, name):
        return self.bench.peer(name)

    def load(self, name, *args, **more):
        return self.peer(name).load(self.bench.load, *args, **more)

    def prepare(self):
        pass

    def seconds(self):
        return ['-d', '0.7' if self.quick else '3', '-W', '0.3' if self.quick else '0.7']


def prefill(section, names):
    for name in names:
        if (name, 'prefill') not in section.bench.prepared:
            section.load(name, 'prefill')
            section.bench.prepared.add((name, 'prefill'))


class Switch(Section):
    """One identity after another, with SELECT and STORE."""
    name = 'switch'
    ways = [
        ('Mailstile UNAUTHENTICATE', 'mailstile', ['-m', 'step', 'switch']),
        ('Mailstile UNAUTHENTICATE, pipelined', 'mailstile', ['-m', 'pipe', 'switch']),
        ('Dovecot reconnect', 'dovecot', ['reconnect']),
        ('Dovecot reconnect, TLS resumed', 'dovecot', ['-r', 'reconnect']),
        ('Dovecot reconnect, TLS resumed, pipelined', 'dovecot',
         ['-r', '-m', 'pipe', 'reconnect']),
        ('Cyrus reconnect', 'cyrus', ['reconnect']),
        ('Cyrus UNAUTHENTICATE (all users admins)', 'cyrus-admins', ['switch']),
    ]

    def prepare(self):
        prefill(self, ['mailstile', 'dovecot', 'cyrus', 'cyrus-admins'])

    def cells(self):
        for n in (1, MANY):
            for series, peer, args in self.ways:
                yield Cell(f'{n} connection{"s" * (n > 1)}', series,
                           lambda peer=peer, args=args, n=n: self.load(
                               peer, *self.seconds(), '-c', str(n), *args, tls=True),
                           [peer])


class Bare(Section):
    """UNAUTHENTICATE and AUTHENTICATE PLAIN and nothing else."""
    name = 'bare'

    def prepare(self):
        prefill(self, ['mailstile', 'cyrus-admins'])

    def cells(self):
        for n in (1, 4, MANY):
            for series, peer, batch in (
                    ('Mailstile, 50 in a write', 'mailstile', '50'),
                    ('Mailstile, one at a time', 'mailstile', '1'),
                    ('Cyrus, one at a time', 'cyrus-admins', '1')):
                yield Cell(f'{n} connection{"s" * (n > 1)}', series,
                           lambda peer=peer, batch=batch, n=n: self.load(
                               peer, *self.seconds(), '-c', str(n), '-k', batch, 'bare',
                               tls=True),
                           [peer])


class Append(Section):
    """APPEND on 16 connections."""
    name = 'append'
    rows = [('4 KiB, a mailbox each', ['-s', '4096']),
            ('64 KiB, a mailbox each', ['-s', '65536']),
            ('4 KiB, all into one mailbox', ['-s', '4096', '-S'])]

    def cells(self):
        for row, args in self.rows:
            for series, peer in (('Mailstile', 'mailstile'), ('Dovecot', 'dovecot'),
                                 ('Cyrus', 'cyrus')):
                yield Cell(row, series,
                           lambda peer=peer, args=args: self.load(
                               peer, *self.seconds(), '-U', '300', '-b', 'bench', '-c',
                               str(MANY), *args, 'append'),
                           [peer])


class Idle(Section):
    """Memory of connections in IDLE; each server is started anew."""
    name = 'idle'
    rounds_most = 3

    def measure(self, peer, tls):
        self.peer(peer).restart()
        return self.load(peer, '-d', '2', '-c', '200' if self.quick else '1000', 'idle',
                         tls=tls)

    def prepare(self):
        prefill(self, ['mailstile', 'dovecot', 'cyrus'])

    def cells(self):
        for row, tls in (('TLS', True), ('plain', False)):
            for series, peer in (('Mailstile', 'mailstile'), ('Dovecot', 'dovecot'),
                                 ('Cyrus', 'cyrus')):
                yield Cell(row, series,
                           lambda peer=peer, tls=tls: self.measure(peer, tls), [peer])


OPERATIONS = ['select', 'fetch_flags', 'fetch_envelope', 'fetch_bodystructure',
              'fetch_fields', 'fetch_body', 'search_subject', 'search_unseen', 'store',
              'copy']


class Big(Section):
    """A mailbox of 50,000 messages, warm and cold."""
    name = 'big'
    rounds_most = 5
    operations = OPERATIONS

    def prepare(self):
        self.count = 5000 if self.quick else 50000
        for peer in ('mailstile', 'dovecot', 'cyrus'):
            if (peer, 'big') in self.bench.prepared:
                continue
            say(f'  filling {peer} with {self.count} messages')
            self.load(peer, '-U', '900', '-b', 'big', '-N', str(self.count), 'fill')
            # what a mail reader has asked for before is in the servers' caches
            for o in OPERATIONS[1:6]:
                self.load(peer, '-U', '900', '-b', 'big', '-C', '-x', o, 'big')
            self.bench.prepared.add((peer, 'big'))

    def arguments(self, operation):
        more = ['-k', '1000'] if self.quick and operation == 'copy' else []
        return ['-U', '900', '-b', 'big', '-x', operation, '-N', '3', *more]

    def cold(self, peer, operation):
        p = self.peer(peer)
        p.stop()
        p.evict()
        p.start()
        return self.load(peer, *self.arguments(operation), '-C', 'big')

    def cells(self):
        for operation in self.operations:
            for series, peer in (('Mailstile', 'mailstile'), ('Dovecot', 'dovecot'),
                                 ('Cyrus', 'cyrus')):
                yield Cell(operation + ' warm', series,
                           lambda peer=peer, operation=operation: self.load(
                               peer, *self.arguments(operation), 'big'), [peer])
        for operation in self.operations:
            for series, peer in (('Mailstile', 'mailstile'), ('Dovecot', 'dovecot'),
                                 ('Cyrus', 'cyrus')):
                yield Cell(operation + ' cold', series,
                           lambda peer=peer, operation=operation: self.cold(
                               peer, operation), [peer])


SEARCHES = ['sort_date', 'sort_subject', 'thread', 'search_body_none', 'search_body_few']


class Search(Big):
    """SORT, THREAD and SEARCH BODY in that mailbox."""
    name = 'search'
    operations = SEARCHES


class Sync(Big):
    """QRESYNC and COMPRESS in that mailbox."""
    name = 'sync'

    def cells(self):
        for row, command in (('resync warm', ['-N', '20', 'resync']),
                             ('fetch_body_deflate warm', ['-N', '1', 'big'])):
            for series, peer in (('Mailstile', 'mailstile'), ('Dovecot', 'dovecot'),
                                 ('Cyrus', 'cyrus')):
                yield Cell(row, series,
                           lambda peer=peer, row=row, command=command: self.load(
                               peer, *self.arguments(row.split()[0]), *command), [peer])


class Growth(Section):
    """One STORE and one APPEND in mailboxes of different sizes."""
    name = 'growth'
    rounds_most = 5

    def sizes(self, peer):
        if self.quick:
            return [1000, 10000]
        return [1000, 100000, 1000000] if peer == 'mailstile' else [1000, 100000]

    def prepare(self):
        for peer in ('mailstile', 'dovecot', 'cyrus'):
            for n in self.sizes(peer):
                if (peer, f'grow{n}') in self.bench.prepared:
                    continue
                say(f'  filling {peer} with {n} small messages')
                self.load(peer, '-U', '901', '-b', f'grow{n}', '-N', str(n), '-s', '700',
                          'fill', timeout=7200)
                self.bench.prepared.add((peer, f'grow{n}'))

    def cells(self):
        for series, peer in (('Mailstile', 'mailstile'), ('Dovecot', 'dovecot'),
                             ('Cyrus', 'cyrus')):
            for n in self.sizes(peer):
                yield Cell(f'{n:,} messages', series,
                           lambda peer=peer, n=n: self.load(
                               peer, '-U', '901', '-b', f'grow{n}', '-N',
                               '50' if self.quick else '300', 'grow'), [peer])


SECTIONS = [Switch, Bare, Append, Idle, Big, Search, Sync, Growth]
