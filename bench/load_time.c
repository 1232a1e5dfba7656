/* Timed work in threads, and what the server's processes spend meanwhile. */
#include "load.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- samples ---- */

void samples_add(struct samples *s, double v)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1024;
		s->at = realloc(s->at, s->cap * sizeof *s->at);
		if (!s->at)
			die("out of memory");
	}
	s->at[s->n++] = v;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void samples_sort(struct samples *s)
{
	if (s->n)
		qsort(s->at, s->n, sizeof *s->at, by_value);
}

double samples_at(const struct samples *s, double part)
{
	size_t i;

	if (s->n == 0)
		return 0;
	i = (size_t)(part * (double)s->n);
	return s->at[i < s->n ? i : s->n - 1];
}

/* ---- the server's processes ---- */

struct process {
	int pid, parent;
	double cpu; /* seconds, with the children that have ended */
	bool is_server;
};

static bool process_read(int pid, struct process *p)
{
	char path[64], b[1024];
	unsigned long long user, kernel, c_user, c_kernel;
	const char *end;
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fgets(b, sizeof b, f) != NULL;
	fclose(f);
	end = ok ? strrchr(b, ')') : NULL;
	*p = (struct process){ .pid = pid };
	if (!end ||
	    sscanf(end + 2,
		   "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
		   &p->parent, &user, &kernel, &c_user, &c_kernel) != 5)
		return false;
	p->cpu = (double)(user + kernel + c_user + c_kernel) /
		 (double)sysconf(_SC_CLK_TCK);
	return true;
}

static bool is_root(int pid)
{
	char list[256], *save = NULL;

	snprintf(list, sizeof list, "%s", opt.pids);
	for (char *s = strtok_r(list, ",", &save); s; s = strtok_r(NULL, ",", &save))
		if (atoi(s) == pid)
			return true;
	return false;
}

/* All processes of the server; free() the result. */
static struct process *processes(size_t *ret_n)
{
	struct process *all = NULL;
	size_t n = 0, cap = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool again = true;

	while (d && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 256;
			all = realloc(all, cap * sizeof *all);
			if (!all)
				die("out of memory");
		}
		if (process_read(atoi(e->d_name), &all[n])) {
			all[n].is_server = is_root(all[n].pid);
			n++;
		}
	}
	if (d)
		closedir(d);
	while (again) {
		again = false;
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; !all[i].is_server && k < n; k++)
				if (all[k].is_server && all[i].parent == all[k].pid)
					all[i].is_server = again = true;
	}
	*ret_n = n;
	return all;
}

double server_cpu(void)
{
	size_t n;
	struct process *all = processes(&n);
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		if (all[i].is_server)
			sum += all[i].cpu;
	free(all);
	return sum;
}

static double process_memory(int pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof line, f) && sscanf(line, "Pss: %lf", &kib) != 1)
		;
	fclose(f);
	return kib;
}

double server_memory(size_t *ret_processes)
{
	size_t n;
	struct process *all = processes(&n);
	double sum = 0;

	*ret_processes = 0;
	for (size_t i = 0; i < n; i++)
		if (all[i].is_server) {
			sum += process_memory(all[i].pid);
			++*ret_processes;
		}
	free(all);
	return sum;
}

/* ---- threads ---- */

static pthread_barrier_t barrier;
static const struct work *current;

static void *work(void *arg)
{
	struct worker *w = arg;

	if (current->prepare)
		current->prepare(w);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier); /* from and until are set */
	for (;;) {
		double t = now();

		if (t >= w->until)
			break;
		current->act(w);
		if (t >= w->from)
			samples_add(&w->latency, (now() - t) * 1e3);
	}
	pthread_barrier_wait(&barrier);
	if (current->finish)
		current->finish(w);
	free(w->message);
	free(w->conn.buf);
	return NULL;
}

static void sleep_until(double t)
{
	double left = t - now();
	struct timespec ts;

	if (left <= 0)
		return;
	ts.tv_sec = (time_t)left;
	ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
	nanosleep(&ts, NULL);
}

static void print_result(const struct work *wk, struct worker *w, double seconds,
			 double cpu)
{
	struct samples all = { 0 };
	size_t opened = 0, resumed = 0;
	double ops;

	for (size_t i = 0; i < opt.connections; i++) {
		for (size_t k = 0; k < w[i].latency.n; k++)
			samples_add(&all, w[i].latency.at[k]);
		free(w[i].latency.at);
		opened += w[i].opened;
		resumed += w[i].resumed;
	}
	samples_sort(&all);
	ops = (double)all.n * (double)(wk->per_act ? wk->per_act : 1);
	printf("{\"what\":\"%s\",\"mode\":\"%s\",\"connections\":%zu,\"tls\":%d,"
	       "\"per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"operations\":%.0f",
	       wk->name, opt.mode, opt.connections, opt.tls, ops / seconds,
	       samples_at(&all, 0.5), samples_at(&all, 0.99), ops);
	if (opt.pids[0])
		printf(",\"cpu_us\":%.2f,\"cpu_share\":%.3f",
		       ops > 0 ? cpu / ops * 1e6 : 0, cpu / seconds);
	if (opened)
		printf(",\"resumed\":%.3f", (double)resumed / (double)opened);
	puts("}");
	free(all.at);
}

void work_run(const struct work *wk)
{
	struct worker *w = calloc(opt.connections, sizeof *w);
	double from, cpu;

	current = wk;
	pthread_barrier_init(&barrier, NULL, (unsigned)opt.connections + 1);
	for (size_t i = 0; i < opt.connections; i++) {
		w[i].id = i;
		w[i].user = i % opt.users;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			die("no thread");
	}
	pthread_barrier_wait(&barrier);
	from = now() + opt.warmup;
	for (size_t i = 0; i < opt.connections; i++) {
		w[i].from = from;
		w[i].until = from + opt.seconds;
	}
	pthread_barrier_wait(&barrier);
	sleep_until(from);
	cpu = server_cpu();
	from = now();
	pthread_barrier_wait(&barrier);
	cpu = server_cpu() - cpu;
	from = now() - from;
	for (size_t i = 0; i < opt.connections; i++)
		pthread_join(w[i].thread, NULL);
	print_result(wk, w, from, cpu);
	free(w);
}
