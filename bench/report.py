"""From the figures to doc/performance.md and its plots."""

import os
import statistics

import plot

UNDER_TEST = 'Mailstile'

# section: (metric, unit, more is better)
METRIC = {
    'switch': ('per_s', 'users a second', True),
    'bare': ('per_s', 'switches a second', True),
    'append': ('per_s', 'messages a second', True),
    'idle': ('kib_each', 'KiB a connection', False),
    'big': ('ms', 'ms', False),
    'search': ('ms', 'ms', False),
    'sync': ('ms', 'ms', False),
}

TITLES = {
    'switch': 'Change of user, SELECT and STORE, over TLS',
    'bare': 'Change of user alone, over TLS',
    'append': f'APPEND on 16 connections',
    'idle': 'Memory of a connection in IDLE',
    'big': 'A mailbox of 50,000 messages',
    'search': 'SORT, THREAD and SEARCH BODY in 50,000 messages',
    'sync': 'QRESYNC and COMPRESS in 50,000 messages',
    'growth': 'Growth',
}

BIG_GOALS = {'select': 3, 'fetch_flags': 3, 'fetch_envelope': 3,
             'fetch_bodystructure': 3, 'fetch_fields': 3, 'fetch_body': 2,
             'search_subject': 3, 'search_unseen': 3, 'store': 2, 'copy': 5}
SEARCH_GOALS = {'sort_date': 3, 'sort_subject': 3, 'thread': 3, 'search_body_none': 20,
                'search_body_few': 20}

SYNC_GOALS = {'resync': 5, 'fetch_body_deflate': 1.5}

COMMANDS = {
    'select': '`SELECT`', 'fetch_flags': '`UID FETCH 1:* (FLAGS)`',
    'fetch_envelope': '`FETCH 1:* (UID FLAGS ENVELOPE)`',
    'fetch_bodystructure': '`FETCH 1:* (UID BODYSTRUCTURE)`',
    'fetch_fields': '`FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE)]`',
    'fetch_body': '`FETCH 1:* BODY.PEEK[]`',
    'resync': '`SELECT` with QRESYNC after 100 changes',
    'fetch_body_deflate': '`FETCH 1:* BODY.PEEK[]` under COMPRESS',
    'search_subject': '`SEARCH SUBJECT needle`', 'search_unseen': '`SEARCH UNSEEN`',
    'sort_date': '`UID SORT (REVERSE DATE) UTF-8 ALL`',
    'sort_subject': '`SORT (SUBJECT FROM) UTF-8 ALL`',
    'thread': '`UID THREAD REFERENCES UTF-8 ALL`',
    'search_body_none': '`SEARCH BODY`, no match', 'search_body_few': '`SEARCH BODY`, 50 match',
    'store': '`STORE 1:* +FLAGS (\\Flagged)`', 'copy': '`COPY 1:10000`',
}


def samples(section, row, series, metric):
    found = section['rows'].get(row, {}).get(series, [])
    return [r[metric] for r in found if metric in r]


def median(section, row, series, metric):
    values = samples(section, row, series, metric)
    return statistics.median(values) if values else None


def show_number(v):
    return '–' if v is None else plot.number(v)


def ratio(ours, theirs, more_is_better=True):
    if not ours or not theirs:
        return None
    return ours / theirs if more_is_better else theirs / ours


def against(section, row, ours, theirs, metric, more_is_better=True):
    """The median of the rounds' ratios: what loads the machine in a round loads both."""
    a, b = (samples(section, row, x, metric) for x in (ours, theirs))
    pairs = [ratio(x, y, more_is_better) for x, y in zip(a, b)]
    pairs = [r for r in pairs if r]
    return statistics.median(pairs) if pairs else None


def processor(section, row, ours, theirs):
    """The same of the processor time that the servers took; '' when it is not known."""
    for metric in ('cpu_us', 'cpu_ms'):
        a, b = (samples(section, row, x, metric) for x in (ours, theirs))
        if sum(a) and sum(b):
            return f'{statistics.median(b) / statistics.median(a):.1f}' if (
                statistics.median(a)) else ''
    return ''


def verdict(r, goal):
    if r is None:
        return '–'
    return f'{r:.1f}' + ('' if goal is None else ' ✓' if r >= goal else ' **short**')


def table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    lines += ['| ' + ' | '.join(r) + ' |' for r in rows]
    return '\n'.join(lines)


def all_series(section):
    names = []
    for row in section['rows'].values():
        for s in row:
            if s not in names:
                names.append(s)
    return names


# ---- goals ----

def switch_goals(s):
    rows = []
    for row, goal in (('1 connection', 3), ('16 connections', 10)):
        step = 'Mailstile UNAUTHENTICATE'
        for other, mine, wanted in (
                ('Dovecot reconnect', step, goal),
                ('Dovecot reconnect, TLS resumed', step, goal),
                ('Dovecot reconnect, TLS resumed, pipelined', step + ', pipelined', None)):
            rows.append([f'user, SELECT, STORE; {row}', other,
                         show_number(median(s, row, mine, 'per_s')),
                         show_number(median(s, row, other, 'per_s')),
                         f'≥ {wanted}' if wanted else '',
                         verdict(against(s, row, mine, other, 'per_s'), wanted),
                         processor(s, row, mine, other)])
    return rows


def bare_goals(s):
    best = None
    for row in s['rows']:
        rate = median(s, row, 'Mailstile, 50 in a write', 'per_s')
        share = median(s, row, 'Mailstile, 50 in a write', 'cpu_share')
        if rate and share:
            best = max(best or 0, rate / share)
    done = '–' if best is None else ('✓' if best >= 30000 else '**short**')
    return [['switches a second of processor time', '', show_number(best), '',
             '≥ 30,000', done, '']]


def append_goals(s):
    rows = []
    for row, goal in (('4 KiB, a mailbox each', 5), ('64 KiB, a mailbox each', 3),
                      ('4 KiB, all into one mailbox', 8)):
        ours, theirs = (median(s, row, x, 'per_s') for x in ('Mailstile', 'Dovecot'))
        rows.append([f'APPEND {row}', 'Dovecot', show_number(ours), show_number(theirs),
                     f'≥ {goal}',
                     verdict(against(s, row, 'Mailstile', 'Dovecot', 'per_s'), goal),
                     processor(s, row, 'Mailstile', 'Dovecot')])
    return rows


def idle_goals(s):
    ours = median(s, 'TLS', 'Mailstile', 'kib_each')
    theirs = median(s, 'TLS', 'Dovecot', 'kib_each')
    done = '–' if ours is None else ('✓' if ours <= 24 else '**short**')
    return [['KiB of a TLS connection in IDLE', 'Dovecot', show_number(ours),
             show_number(theirs), '≤ 24', done, '']]


def big_goals(s, goals=BIG_GOALS):
    rows = []
    for heat in ('warm', 'cold'):
        for operation, goal in goals.items():
            row = f'{operation} {heat}'
            ours = median(s, row, 'Mailstile', 'ms')
            others = {x: median(s, row, x, 'ms') for x in ('Dovecot', 'Cyrus')}
            others = {k: v for k, v in others.items() if v}
            if not ours or not others:
                continue
            better = min(others, key=others.get)
            rows.append([f'{COMMANDS[operation]} {heat}, ms', better, show_number(ours),
                         show_number(others[better]), f'≥ {goal}',
                         verdict(against(s, row, 'Mailstile', better, 'ms', False), goal),
                         processor(s, row, 'Mailstile', better)])
    return rows


def growth_goals(s):
    rows = []
    for what in ('store', 'append'):
        values = [median(s, r, 'Mailstile', what + '_ms') for r in s['rows']]
        values = [v for v in values if v]
        if not values:
            continue
        spread = max(values) / min(values)
        rows.append([f'one {what.upper()}, ms, smallest and largest mailbox', '',
                     f'{show_number(values[0])} … {show_number(values[-1])}', '', '≤ 2',
                     f'{spread:.2f} ' + ('✓' if spread <= 2 else '**short**'), ''])
    return rows


GOALS = {'switch': switch_goals, 'bare': bare_goals, 'append': append_goals,
         'idle': idle_goals, 'big': big_goals,
         'search': lambda s: big_goals(s, SEARCH_GOALS),
         'sync': lambda s: big_goals(s, SYNC_GOALS), 'growth': growth_goals}


# ---- sections ----

def cells(section, row, series, metric):
    values = samples(section, row, series, metric)
    if not values:
        return None
    return (statistics.median(values), min(values), max(values))


def plain_section(name, section):
    metric, unit, _ = METRIC[name]
    series = all_series(section)
    head = [unit] + series
    rows = []
    for row in section['rows']:
        line = [row]
        for s in series:
            c = cells(section, row, s, metric)
            cpu = median(section, row, s, 'cpu_us')
            line.append('' if c is None else f'{show_number(c[0])}'
                        + (f' ({show_number(cpu)} µs)' if cpu else ''))
        rows.append(line)
    note = ''
    if any(median(section, r, s, 'cpu_us') for r in section['rows'] for s in series):
        note = ('\n\nIn brackets: processor time of all the server\'s processes for one '
                'of them.')
    data = [(row, {s: cells(section, row, s, metric) for s in series
                   if cells(section, row, s, metric)}) for row in section['rows']]
    return table(head, rows) + note, plot.bars(TITLES[name], unit, data, series)


def big_section(section, goals=BIG_GOALS):
    series = all_series(section)
    rows, data = [], []
    for operation in goals:
        line, ratios = [COMMANDS[operation]], {}
        for heat in ('warm', 'cold'):
            for s in series:
                ms = median(section, f'{operation} {heat}', s, 'ms')
                rate = median(section, f'{operation} {heat}', s, 'mb_per_s')
                line.append(show_number(ms) + (f' ({show_number(rate)} MB/s)'
                                               if rate and operation.startswith('fetch_body') else ''))
        ours = median(section, f'{operation} warm', UNDER_TEST, 'ms')
        for s in series:
            theirs = median(section, f'{operation} warm', s, 'ms')
            if ours and theirs:
                ratios[s] = (theirs / ours,) * 3
        rows.append(line)
        data.append((operation.replace('_', ' '), ratios))
    head = ['ms'] + [f'{s}, {heat}' for heat in ('warm', 'cold') for s in series]
    return table(head, rows), plot.bars('Time of each server, warm', 'Mailstile = 1', data,
                                        series)


def growth_section(section):
    series = all_series(section)
    rows, data = [], []
    for row in section['rows']:
        for what in ('store', 'append'):
            values = {s: cells(section, row, s, what + '_ms') for s in series}
            values = {s: v for s, v in values.items() if v}
            rows.append([row, what.upper()]
                        + [show_number(values[s][0]) if s in values else '' for s in series])
            data.append((f'{what.upper()}, {row}', values))
    return (table(['', 'ms'] + series, rows),
            plot.bars('One command, by size of the mailbox', 'ms', data, series))


# ---- the page ----

KEPT_BEGIN, KEPT_END = '<!-- by hand -->', '<!-- end by hand -->'


def kept(path):
    """What people wrote into the page stays."""
    if os.path.exists(path):
        with open(path) as f:
            text = f.read()
        if KEPT_BEGIN in text and KEPT_END in text:
            return text.split(KEPT_BEGIN, 1)[1].split(KEPT_END, 1)[0].strip('\n')
    return ''


INTRO = '''# Performance

Written by `bench/compare` (root, Debian 12; `--help` says more). The same load
generator drives Mailstile, Dovecot and Cyrus, one after the other, up to {rounds} rounds; a figure
is the median of its rounds. Every change is durable before it is acknowledged, in all three: Dovecot
runs with `mail_fsync = always`, as its default does not sync flags. Switches of
user go over TLS 1.3, all else over plain TCP on the loopback interface.

- Machine: {cpu}, {cores} cores, {memory_gib} GiB, {system}, kernel {kernel}, {disk};
  a 4 KiB write with fdatasync takes {fdatasync_ms} ms. The load generator runs on the same cores;
  when it began the load average was {load_before:.1f}: what else ran there took part of them.
- Mailstile: release build, its defaults but for limits on connections and logins.
- Dovecot {Dovecot}: sdbox, login and imap processes that serve many connections
  (`service_count`, its "high-performance mode"), authentication cache.
- Cyrus {Cyrus}: its defaults, without the TLS session database, which costs it a dozen syncs a
  handshake; acknowledged at once (TCP_QUICKACK) by the load generator, as it answers in two
  small writes and would wait 40 ms otherwise. It offers UNAUTHENTICATE only to users who
  are administrators themselves, so there all are.
- Cold: the server was started anew and its data taken out of the page cache.
'''


def compose(figures, output, plots):
    sections = figures['sections']
    m = dict(figures.get('machine', {}), **figures.get('versions', {}))
    m['rounds'] = max((s['rounds'] for s in sections.values()), default=0)
    parts = [INTRO.format(**m)]
    goals = [row for name, s in sections.items() for row in GOALS[name](s)]
    parts.append('## Goals\n\n' + table(
        ['what', 'against', 'Mailstile', 'the other', 'goal, times', 'reached',
         'processor time, times less'], goals)
        + '\n\nReached: the median of the rounds\' ratios, as what else runs on the machine '
        'in a round loads both. Processor\ntime: of the server\'s processes alone, in ticks '
        'of 10 ms, which says little of what is over in a few.')
    hand = kept(os.path.join(output, 'performance.md'))
    parts.append(f'{KEPT_BEGIN}\n{hand}\n{KEPT_END}')
    for name, s in sections.items():
        if name == 'big':
            text, svg = big_section(s)
        elif name == 'search':
            text, svg = big_section(s, SEARCH_GOALS)
        elif name == 'sync':
            text, svg = big_section(s, SYNC_GOALS)
        elif name == 'growth':
            text, svg = growth_section(s)
        else:
            text, svg = plain_section(name, s)
        plots[name] = svg
        parts.append(f'## {TITLES[name]}\n\n{text}\n\n'
                     f'![{TITLES[name]}](performance/{name}.svg)')
    return '\n\n'.join(p.strip('\n') for p in parts) + '\n'


def write(figures, output):
    plots = {}
    text = compose(figures, output, plots)
    folder = os.path.join(output, 'performance')
    os.makedirs(folder, exist_ok=True)
    for name, svg in plots.items():
        with open(os.path.join(folder, name + '.svg'), 'w') as f:
            f.write(svg)
    with open(os.path.join(output, 'performance.md'), 'w') as f:
        f.write(text)
    print(f'wrote {output}/performance.md')


def show(figures):
    for name, s in figures['sections'].items():
        print(f'\n{name}')
        for row in GOALS[name](s):
            print('  ' + ' | '.join(row))
