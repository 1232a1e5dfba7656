/* Socket addresses as text and bytes. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void set_ipv4(struct net_addr *a, const uint8_t *ip)
{
	memset(a->ip + 10, 0xff, 2);
	memcpy(a->ip + 12, ip, 4);
	inet_ntop(AF_INET, ip, a->text, sizeof a->text);
	a->is_loopback = ip[0] == 127;
}

void net_addr_set(struct net_addr *a, const struct sockaddr *sa)
{
	*a = (struct net_addr){ .is_ip = true };
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		set_ipv4(a, (const uint8_t *)&in.sin_addr);
		a->port = ntohs(in.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		memcpy(&in, sa, sizeof in);
		a->port = ntohs(in.sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
			set_ipv4(a, in.sin6_addr.s6_addr + 12);
			return;
		}
		memcpy(a->ip, in.sin6_addr.s6_addr, sizeof a->ip);
		inet_ntop(AF_INET6, &in.sin6_addr, a->text, sizeof a->text);
		a->is_loopback = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
	} else {
		*a = (struct net_addr){ .text = "local", .is_loopback = true };
	}
}

static void set_by(struct net_addr *a, int fd,
		   int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict))
{
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} sa = { 0 };
	socklen_t n = sizeof sa;
	if (ask(fd, &sa.any, &n) == 0) {
		net_addr_set(a, &sa.any);
		return;
	}
	/* gone already: it gets no privilege that local ones may have */
	*a = (struct net_addr){ .text = "unknown" };
}

void net_addr_local(struct net_addr *a, int fd)
{
	set_by(a, fd, getsockname);
}

void net_addr_peer(struct net_addr *a, int fd)
{
	set_by(a, fd, getpeername);
}
