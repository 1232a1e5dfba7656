/* Addresses of peers and of listeners, IPv4 and IPv6. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

struct net_addr {
	char text[48]; /* "192.0.2.1", "2001:db8::1"; "local" for what is not IP */
	uint8_t
	    ip[16]; /* network order; IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) */
	uint16_t port;
	bool is_ip;	  /* false: ip and port mean nothing */
	bool is_loopback; /* 127.0.0.0/8 and ::1; also what is not IP */
};

void net_addr_set(struct net_addr *a, const struct sockaddr *sa);
/* The own and the other end of a socket. */
void net_addr_local(struct net_addr *a, int fd);
void net_addr_peer(struct net_addr *a, int fd);

#endif
