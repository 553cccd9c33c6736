/* A module that does what the first byte of a received frame says: mostly mischief. Built with
 * -DSTATICS it keeps everything in static variables and memory of its own. */
#include "simcore_node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct probe {
    int64_t deadline_ns;
    uint32_t timer_count;
    uint32_t checksum;
    int32_t input, output;
    const struct probe *self; /* set by command 40 only */
} probe;

#ifdef STATICS
static probe *instance;
static uint32_t static_count;
#define STATE(state) ((void)(state), instance)
#else
static const simcore_node_description description = {SIMCORE_NODE_RELOCATABLE, "probe", "1.2"};
const simcore_node_description *simcore_node_describe(void) { return &description; }
#define STATE(state) ((probe *)(state))
#endif

static const simcore_node_host *kept_host;
static volatile int zero;

uint32_t simcore_node_abi_version(void) { return SIMCORE_NODE_ABI_VERSION; }

size_t simcore_node_state_size(void)
{
#ifdef STATICS
    return 0;
#else
    return sizeof(probe) + 1; /* no multiple of anything */
#endif
}

static void send_number(const simcore_node_host *host, uint32_t id, uint32_t number)
{
    simcore_node_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.arbitration_id = id;
    frame.length = 4;
    memcpy(frame.data, &number, 4);
    host->send(host, &frame, SIMCORE_NODE_DEFAULT_CHANNEL);
}

void simcore_node_start(void *state, const simcore_node_host *host, uint32_t cause, int64_t now_ns)
{
    uint32_t starts = 0;
    int place, dirty = 0;
#ifdef STATICS
    dirty = instance != NULL || static_count != 0;
    instance = calloc(1, sizeof *instance);
#else
    for (place = 0; place < (int)sizeof(probe) + 1; ++place) {
        dirty |= ((uint8_t *)state)[place];
    }
    dirty |= (uintptr_t)state % 16 != 0;
#endif
    (void)place;
    STATE(state)->deadline_ns = now_ns + 1000000;
    STATE(state)->input = host->find_input(host, "wheel_speed_radps");
    STATE(state)->output = host->find_output(host, "motor_current_a");
    host->memory_read(host, "starts", &starts, sizeof starts);
    ++starts;
    host->memory_write(host, "starts", &starts, sizeof starts);
    if (dirty) {
        host->log(host, "fault", "memory is not zeroed");
    }
    if (cause != SIMCORE_NODE_POWER_ON) {
        host->log(host, "note", "no power on");
    }
    send_number(host, 0x700, starts);
}

static void send_with(const simcore_node_host *host, uint32_t id, uint8_t flags, uint8_t length,
                      int32_t channel)
{
    simcore_node_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.arbitration_id = id;
    frame.flags = flags;
    frame.length = length;
    host->send(host, &frame, channel);
}

static void crash(int command, void *state, const simcore_node_frame *frame)
{
    volatile uint8_t *bytes = state;
    int place;
    volatile char *block;
    switch (command) {
    case 1: *(volatile int *)(intptr_t)zero = 1; break;
    case 2: while (!zero) { } break;
    case 3: exit(3);
    case 4: abort();
    case 5: bytes[sizeof(probe) + 1] ^= 1; break;
    case 6: bytes[-1] ^= 1; break;
    case 7: ((volatile uint8_t *)(intptr_t)frame)[9] ^= 1; break;
    case 8: ((volatile uint8_t *)(intptr_t)frame)[72] ^= 1; break;
    case 9:
        block = malloc(24);
        for (place = 0; place < 64; ++place) block[place] = 1;
        free((void *)block);
        break;
    case 10: pause(); break;
    case 11: _exit(0);
    default: break;
    }
}

static void misuse(int command, probe *me, const simcore_node_host *host)
{
    static char long_text[70000];
    uint32_t number = 0x7FF;
    switch (command) {
    case 20: send_with(host, 0x100, 0, 65, -1); break;
    case 21: send_with(host, 0x100, 0, 9, -1); break;
    case 22: send_with(host, 0x100, 0, 1, 2); break;
    case 23: send_with(host, 0x800, 0, 1, -1); break;
    case 24: send_with(host, 0x100, 0x20, 1, -1); break;
    case 25: host->send(host, NULL, -1); break;
    case 26:
        host->write(host, 99, 1.0);
        host->write(host, me->output, 5.0);
        host->log(host, "note", "after all");
        host->memory_erase(host, "starts");
        send_with(host, 0x100, 0, 1, host->read(host, me->input) > 0.0 ? 0 : -1);
        host->reset(host, 1);
        break;
    case 27: host->write(host, me->output, (double)NAN); break;
    case 28: host->write(host, 99, 1.0); break;
    case 29: host->read(host, -1); break;
    case 30: host->write_named(host, "horn", 1.0); break;
    case 31: host->read_named(host, "horn"); break;
    case 32: host->log(host, "gossip", "x"); break;
    case 33: memset(long_text, 'x', 1025); host->log(host, "note", long_text); break;
    case 34: memset(long_text, 'k', 65); host->memory_erase(host, long_text); break;
    case 35: host->memory_write(host, "k", long_text, 65537); break;
    case 36: host->memory_write(host, "", long_text, 1); break;
    case 37: host->reset(host, 9); break;
    case 38: while (host->send(host, &(simcore_node_frame){.length = 1}, -1) == 0) { } break;
    case 39: host->memory_read(host, NULL, &number, 4); break;
    case 43: host->confirm(host, NULL, 3); break;
    case 44: host->memory_read(host, "k", NULL, 4); break;
    case 45: for (number = 0; number < 20000; ++number) host->write(host, me->output, 0.0); break;
    default: break;
    }
}

static void act(int command, probe *me, const simcore_node_host *host, int64_t now_ns)
{
    uint8_t bytes[300];
    uint32_t ids[2] = {0x700, 0x701};
    int32_t got;
    switch (command) {
    case 40: me->self = me; break;
    case 41: kept_host = host; break;
    case 42: me->deadline_ns = now_ns; break;
    case 46: send_number(host, 0x702, (uint32_t)clock()); break; /* on no account */
    case 47: printf("hello from C\n"); break;
    case 48: me->deadline_ns = SIMCORE_NODE_NEVER; break;
    case 49: for (got = 0; got < 600; ++got) send_number(host, 0x704, 0); break;
    case 50:
        got = host->memory_read(host, "none", bytes, 300);
        send_number(host, 0x701, (uint32_t)got);
        memset(bytes, 7, 300);
        host->memory_write(host, "some", bytes, 300);
        memset(bytes, 9, 300);
        send_number(host, 0x701, (uint32_t)host->memory_read(host, "some", bytes, 2));
        send_number(host, 0x701, bytes[1]);
        send_number(host, 0x701, bytes[2]);
        host->memory_erase(host, "some");
        send_number(host, 0x701, (uint32_t)host->memory_read(host, "some", bytes, 2));
        break;
    case 51:
        send_number(host, 0x701, (uint32_t)host->watchdog_enabled(host));
        send_number(host, 0x701, (uint32_t)host->watchdog_period(host));
        send_number(host, 0x701, (uint32_t)host->watchdog_error_count(host));
        send_number(host, 0x701, (uint32_t)host->watchdog_question(host));
        host->watchdog_answer(host, 0xA5);
        host->watchdog_trigger(host);
        host->watchdog_release(host, 3);
        host->watchdog_serve(host, 1);
        host->watchdog_demand_safe_state(host);
        break;
    case 52: host->confirm(host, ids, 2); break;
    case 53: host->accept(host, ids, 2); break;
    case 54: host->accept(host, NULL, 0); break;
    case 55: host->reset(host, SIMCORE_NODE_SOFT_RESET); break;
    case 56: host->log(host, "note", host->node_name); break;
    case 57:
        send_number(host, 0x701, host->channel_count);
        send_number(host, 0x701, (uint32_t)host->find_channel(host, "CHASSIS_B"));
        send_number(host, 0x701, (uint32_t)host->find_channel(host, "CHASSIS_C"));
        send_number(host, 0x701, (uint32_t)host->find_input(host, "horn"));
        send_number(host, 0x701, (uint32_t)host->find_output(host, "horn"));
        break;
    case 58:
        send_with(host, 0x18DAF110, SIMCORE_NODE_EXTENDED_ID | SIMCORE_NODE_FD |
                  SIMCORE_NODE_BITRATE_SWITCH, 64, 1);
        send_with(host, 0x100, SIMCORE_NODE_REMOTE, 0, 0);
        break;
    case 59: host->write_named(host, "motor_current_a", host->read_named(host, "supply_v")); break;
    case 60: host->log(host, "note", "\xFF bytes"); break;
    case 61: host->memory_erase(host, "none"); host->confirm(host, NULL, 0); break;
    default: break;
    }
}

void simcore_node_receive(void *state, const simcore_node_host *host,
                          const simcore_node_frame *frame, int64_t now_ns)
{
    probe *me = STATE(state);
    uint32_t place;
    for (place = 0; place < frame->length; ++place) {
        me->checksum = me->checksum * 31 + frame->data[place];
    }
    if (frame->arbitration_id == 0x7F1 || (frame->flags & SIMCORE_NODE_EXTENDED_ID) != 0) {
        host->send(host, frame, SIMCORE_NODE_DEFAULT_CHANNEL);
    }
    if (frame->arbitration_id != 0x7F0) {
        return;
    }
    crash(frame->data[0], state, frame);
    misuse(frame->data[0], me, host);
    act(frame->data[0], me, host, now_ns);
}

void simcore_node_timer(void *state, const simcore_node_host *host, int64_t now_ns)
{
    probe *me = STATE(state);
    if (kept_host != NULL) {
        kept_host->log(kept_host, "note", "late");
        kept_host = NULL;
    }
#ifdef STATICS
    ++static_count;
#endif
    if (me->self != NULL) {
        me = (probe *)(intptr_t)me->self;
    }
    ++me->timer_count;
    me->deadline_ns = now_ns + 1000000;
    me->checksum += (uint32_t)(int64_t)(1000.0 * host->read(host, me->input));
    host->write(host, me->output, 0.001 * me->timer_count);
    if (me->timer_count % 5 == 0) {
        send_number(host, 0x700, me->checksum);
    }
}

int64_t simcore_node_next_deadline(const void *state)
{
    return STATE((void *)(intptr_t)state)->deadline_ns;
}

void simcore_node_receive_on(void *state, const simcore_node_host *host, uint32_t channel,
                             const simcore_node_frame *frame, int64_t now_ns)
{
    (void)now_ns;
    (void)state;
    if (frame->arbitration_id == 0x7F0) {
        send_number(host, 0x703, channel);
    }
}

void simcore_node_bus_state(void *state, const simcore_node_host *host, uint32_t channel,
                            uint32_t error_state, int64_t now_ns)
{
    char text[64];
    (void)state;
    (void)now_ns;
    snprintf(text, sizeof text, "channel %u is in error state %u", channel, error_state);
    host->log(host, "note", text);
}

void simcore_node_transmitted(void *state, const simcore_node_host *host, uint32_t channel,
                              const simcore_node_frame *frame, int64_t now_ns)
{
    char text[64];
    (void)state;
    (void)now_ns;
    snprintf(text, sizeof text, "0x%X has left on %u", (unsigned)frame->arbitration_id, channel);
    host->log(host, "note", text);
}
