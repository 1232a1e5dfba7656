# Sourced by the peers' scripts; no side effects when sourced. Each of them is
#	PEER install | start DIR | stop DIR | ports
# and has an administrator "admin", password "adminpw", who may act for the users u00000
# upwards; all listen on 127.0.0.1 alone and keep everything they write in DIR.
#	USERS   number of users (1000)
set -euo pipefail
USERS=${USERS:-1000}
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin

die() { echo "$0: $*" >&2; exit 1; }
usage() { die "usage: $0 install | start DIR | stop DIR | ports"; }
absdir() { mkdir -p "$1"; (cd "$1" && pwd -P); }
users() { seq -f 'u%05g' 0 $((USERS - 1)); }

# Installs packages; none of their daemons starts.
apt_install() {
	local made= rc=0
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
		made=1
	fi
	apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@" || {
		apt-get -q -o DPkg::Lock::Timeout=600 update &&
			apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@"
	} || rc=$?
	if [ -n "$made" ]; then rm -f /usr/sbin/policy-rc.d; fi
	return $rc
}

# A package that cannot be installed beside another peer (both "Conflicts: imap-server")
# is unpacked below /opt/mailstile-bench.
apt_unpack() {
	local pkg=$1 tmp
	[ -d "/opt/mailstile-bench/$pkg" ] && return 0
	tmp=$(mktemp -d)
	(cd "$tmp" && apt-get -q -o APT::Sandbox::User=root download "$pkg")
	mkdir -p /opt/mailstile-bench
	dpkg-deb -x "$tmp"/*.deb "/opt/mailstile-bench/$pkg.new"
	mv "/opt/mailstile-bench/$pkg.new" "/opt/mailstile-bench/$pkg"
	rm -rf "$tmp"
}

# cert DIR: an ECDSA P-256 certificate, signed by itself
cert() {
	[ -s "$1/cert.pem" ] && return 0
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
	chmod 600 "$1/key.pem"
}

# wait_port PORT: until something accepts on it (30 s)
wait_port() {
	local i
	for i in $(seq 300); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
		sleep 0.1
	done
	die "nothing listens on port $1"
}

# tree PID...: those processes and all below them
tree() {
	local todo="$*" p
	while [ -n "${todo// /}" ]; do
		set -- $todo
		p=$1
		shift
		todo="$* $(cat "/proc/$p/task/$p/children" 2>/dev/null || true)"
		if [ -e "/proc/$p" ]; then echo "$p"; fi
	done
}

# stop_pidfile FILE: ends the process in it and all below; what is left after 20 s is killed
stop_pidfile() {
	local pid p i all left=
	[ -s "$1" ] || return 0
	pid=$(tr -dc 0-9 <"$1")
	if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
		all=$(tree "$pid")
		kill -TERM "$pid"
		for i in $(seq 200); do
			left=
			for p in $all; do if kill -0 "$p" 2>/dev/null; then left+=" $p"; fi; done
			[ -z "$left" ] && break
			sleep 0.1
		done
		if [ -n "$left" ]; then kill -KILL $left 2>/dev/null || true; sleep 0.2; fi
	fi
	rm -f "$1"
}

# peer_main ARGUMENTS: what a script of a peer ends with
peer_main() {
	case ${1:-} in
	install) install ;;
	start) start "$(absdir "${2:?DIR}")" ;;
	stop) stop "$(absdir "${2:?DIR}")" ;;
	ports) echo "plain=$PORT tls=$TLSPORT" ;;
	*) usage ;;
	esac
}
