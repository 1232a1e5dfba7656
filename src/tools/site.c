/* The parts of a site. */
#include "tools/site.h"

bool site_wants_tls(const struct config *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listener[i].tls != SERVER_TLS_NONE)
			return true;
	return false;
}

enum err site_tls(const struct config *c, struct net_tls **ret, struct buf *ret_why)
{
	const struct net_tls_server o = {
		.cert_file = c->tls_certificate,
		.key_file = c->tls_key,
		.client_ca_file = c->client_authorities,
		.client_crl_file = c->client_revocations,
		.is_tls13_only = strcmp(c->tls_minimum, "1.3") == 0,
	};
	struct net_error fault;
	enum err rc = net_tls_server_new(&o, ret, &fault);
	if (rc != ERR_OK)
		buf_printf(ret_why, "TLS: %s.", fault.text);
	return rc;
}

struct policy *site_policy(const struct config *c)
{
	struct policy *p = policy_new(c->rule, c->n_rules);

	policy_certificates(p, c->certificate, c->n_certificates);
	return p;
}

struct engine_config site_engine(const struct config *c, struct executor *workers)
{
	return (struct engine_config){
		.kind = c->store_engine,
		.dir = c->store_directory,
		.workers = workers,
		.flags = c->has_body_index ? 0 : ENGINE_NO_BODY_INDEX,
		.reserve_bytes = c->disk_reserve,
		.expunge_history = c->expunge_history,
	};
}
