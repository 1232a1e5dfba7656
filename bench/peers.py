"""The servers under comparison: their scripts in bench/peers, their processes, one load."""

import json
import os
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    pass


class Peer:
    """One server in a directory of its own; `env` goes to its script."""

    def __init__(self, name, title, script, port, directory, env=None, extra=()):
        self.name, self.title = name, title
        self.script = os.path.join(HERE, 'peers', script)
        self.directory = os.path.join(directory, name)
        self.extra = list(extra)
        self.env = dict(os.environ, PORT=str(port), TLSPORT=str(port + 850),
                        **(env or {}))
        self.port, self.tls_port = port, port + 850
        self.pid = None

    def call(self, *args):
        with open(self.directory + '.script.log', 'ab') as log:
            run = subprocess.run([self.script, *args], env=self.env, stderr=log,
                                 stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if run.returncode:
            raise Failed(f'{self.script} {" ".join(args)} failed: '
                         f'see {self.directory}.script.log')
        return run.stdout.decode()

    def install(self):
        self.call('install')

    def start(self):
        words = dict(w.split('=', 1) for w in self.call('start', self.directory).split()
                     if '=' in w)
        self.pid = words['pid']

    def stop(self):
        if self.pid:
            self.pid = None
            self.call('stop', self.directory)

    def restart(self):
        self.stop()
        self.start()

    def evict(self):
        """Takes its data out of the page cache, with inodes and directory entries."""
        os.sync()
        for top, _, files in os.walk(self.directory):
            for name in files:
                path = os.path.join(top, name)
                try:
                    if not stat.S_ISREG(os.lstat(path).st_mode):
                        continue
                    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
                except OSError:
                    continue
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)
        try:
            with open('/proc/sys/vm/drop_caches', 'w') as f:
                f.write('2')
        except OSError:
            pass

    def load(self, binary, *args, tls=False, timeout=1800):
        """One measurement: the object that the load generator prints."""
        command = [binary, '-p', str(self.tls_port if tls else self.port),
                   '-P', self.pid, *self.extra, *args]
        if tls:
            command.insert(1, '-t')
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=timeout, stdin=subprocess.DEVNULL)
        if run.returncode:
            raise Failed(f'{self.name}: {" ".join(command)}: '
                         + run.stderr.decode(errors='replace').strip())
        return json.loads(run.stdout.decode().splitlines()[-1])


def version(package):
    run = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', package],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return run.stdout.decode() or 'unknown'


def machine():
    """What the figures depend on, in sentences."""
    cpu, cores = 'unknown processor', os.cpu_count()
    with open('/proc/cpuinfo') as f:
        for line in f:
            if line.startswith('model name'):
                cpu = line.split(':', 1)[1].strip()
                break
    with open('/proc/meminfo') as f:
        memory = int(f.readline().split()[1]) / 1048576
    run = subprocess.run(['findmnt', '-nro', 'SOURCE,FSTYPE', '-T', '/var/tmp'],
                         stdout=subprocess.PIPE)
    disk = run.stdout.decode().strip() or 'unknown file system'
    with open('/etc/os-release') as f:
        system = dict(l.rstrip().split('=', 1) for l in f if '=' in l)
    return {
        'cpu': cpu, 'cores': cores, 'memory_gib': round(memory, 1), 'disk': disk,
        'kernel': os.uname().release, 'system': system.get('PRETTY_NAME', '').strip('"'),
        'fdatasync_ms': round(fdatasync_ms(), 3),
        'load_before': os.getloadavg()[0],
    }


def fdatasync_ms(n=50):
    """The median time of a 4 KiB write and fdatasync where the servers keep their data."""
    import tempfile
    import time
    times = []
    with tempfile.NamedTemporaryFile(dir='/var/tmp') as f:
        for _ in range(n):
            t = time.monotonic()
            f.write(b'x' * 4096)
            f.flush()
            os.fdatasync(f.fileno())
            times.append(time.monotonic() - t)
    return sorted(times)[n // 2] * 1e3


def say(text):
    print(text, file=sys.stderr, flush=True)
