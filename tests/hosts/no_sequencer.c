/* Stands in for the kernel's MIDI sequencer, without which qtractor does not start its audio either: there is one client,
   and nobody else. Preloaded; containers have no /dev/snd/seq. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int ends[2];

int snd_seq_open(void **sequencer, const char *name, int streams, int mode)
{
	(void)streams, (void)mode;
	/* The second handle would hear of other clients. */
	if (strcmp(name, "default") != 0 || pipe(ends) != 0)
		return -ENOENT;
	*sequencer = ends;
	return 0;
}

int snd_seq_poll_descriptors(void *sequencer, struct pollfd *files, unsigned n_files, short events)
{
	(void)sequencer, (void)n_files, (void)events;
	files->fd = ends[0];
	files->events = POLLIN;
	return 1;
}

int snd_seq_poll_descriptors_count(void *sequencer, short events) { (void)sequencer, (void)events; return 1; }
int snd_seq_client_id(void *sequencer) { (void)sequencer; return 128; }

/* What is asked for is not there, what is done succeeds. */
#define ABSENT(name) int name() { return -ENOENT; }
#define DONE(name) int name() { return 0; }

ABSENT(snd_seq_event_input)
ABSENT(snd_seq_get_any_client_info)
ABSENT(snd_seq_get_any_port_info)
ABSENT(snd_seq_query_next_client)
ABSENT(snd_seq_query_next_port)
ABSENT(snd_seq_query_port_subscribers)
DONE(snd_seq_alloc_queue)
DONE(snd_seq_close)
DONE(snd_seq_control_queue)
DONE(snd_seq_create_simple_port)
DONE(snd_seq_delete_simple_port)
DONE(snd_seq_drain_output)
DONE(snd_seq_drop_input)
DONE(snd_seq_drop_output)
DONE(snd_seq_event_input_pending)
DONE(snd_seq_event_output)
DONE(snd_seq_event_output_direct)
DONE(snd_seq_free_queue)
DONE(snd_seq_get_port_info)
DONE(snd_seq_get_queue_status)
DONE(snd_seq_get_queue_tempo)
DONE(snd_seq_remove_events)
DONE(snd_seq_set_client_name)
DONE(snd_seq_set_port_info)
DONE(snd_seq_set_queue_tempo)
DONE(snd_seq_set_queue_timer)
DONE(snd_seq_subscribe_port)
DONE(snd_seq_unsubscribe_port)
