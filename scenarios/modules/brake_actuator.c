/* A brake actuator ECU for the reference chassis, in plain C99: what a supplier's module looks like.
 *
 *     cc -std=c99 -O2 -Wall -Wextra -pedantic -shared -fPIC -I<header> -o brake_actuator.so brake_actuator.c
 *
 * Here: what runs when, what it tells, what the simulator calls. One file for each part of the rest:
 *
 *     state    interface, calibration, memory    com       bits, E2E, reception on two buses
 *     modes    states: start-up, release         command   which command is obeyed (COM-004, SAF-004)
 *     control  force control                     monitor   level 2, plausibility, limits (SAF-002)
 *     uds      ISO-TP and diagnostics
 *
 * Everything volatile is in one block without pointers, so a run with this module can be copied at any
 * time. What it leaves out, and why, is said in brake_actuator.toml.
 */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* the same bits on every machine */
#endif

#include "brake_actuator_state.h"

#include "brake_actuator_command.h"
#include "brake_actuator_control.h"
#include "brake_actuator_modes.h"
#include "brake_actuator_monitor.h"

/* ---- What it tells ---- */

static void transmit(const call_t *c, uint32_t id, const uint8_t *data, unsigned length)
{
    simcore_node_frame frame = {0};
    frame.arbitration_id = id;
    frame.flags = SIMCORE_NODE_FD | SIMCORE_NODE_BITRATE_SWITCH;
    frame.length = (uint8_t)length;
    memcpy(frame.data, data, length);
    c->host->send(c->host, &frame, SIMCORE_NODE_DEFAULT_CHANNEL);
}

static void tp_send(const call_t *c, const uint8_t *data, unsigned length)
{
    transmit(c, DIAG_RESPONSE + c->e->corner, data, length);
}

static void send_status_1(const call_t *c)
{
    ecu_t *e = c->e;
    uint8_t d[20];
    double wheel = e->pin[WHEEL], speed = size_of(wheel);
    int wheel_valid = speed <= 500.0; /* 620 km/h: no wheel, a broken sensor */
    unsigned echo = braking(e)                                              ? e->echo
                    : e->state == PARK_APPLYING || e->state == PARK_APPLIED ? MODE_PARK_APPLY
                    : e->state == PARK_RELEASING                            ? MODE_PARK_RELEASE
                                                                            : ECHO_REJECTED;
    if (wheel_valid) {
        e->pulses += 0.005 * 96.0 / 6.283185307179586 * speed;
        e->pulses -= e->pulses >= 255.0 ? 255.0 : 0.0;
    }
    memset(d, 0xFF, sizeof d);
    put_value(d, 24, 16, e->force_n, 1.0, -1000.0, -1000.0, 64000.0);
    put_bits(d, 40, 2, e->state == INIT ? QF_INIT : e->force_valid ? QF_VALID : QF_DEGRADED);
    put_bits(d, 42, 4, e->state);
    put_bits(d, 46, 2, e->state >= SAFE_RELEASED ? 3 : e->state == DEGRADED ? 2 : e->warning);
    put_value(d, 48, 16, speed * WHEEL_RADIUS_M * 3.6, 0.01, 0.0, 0.0, 655.34);
    put_bits(d, 64, 2, wheel > 0.05 ? 0 : wheel < -0.05 ? 1 : 2);
    put_bits(d, 66, 2, wheel_valid ? QF_VALID : QF_INVALID);
    put_bits(d, 68, 8, (uint32_t)e->pulses);
    put_value(d, 76, 12, e->pin[PHASE], 0.1, 0.0, -204.8, 204.7);
    put_value(d, 88, 14, e->pin[SPEED] * 9.549296585513721, 1.0, 0.0, -8192.0, 8191.0);
    put_value(d, 102, 14, e->pin[TRAVEL] * 1e6, 0.5, -1000.0, -1000.0, 7191.0);
    put_value(d, 116, 8, braking(e) ? e->available_n : 0.0, 250.0, 0.0, 0.0, 63500.0);
    put_bits(d, 124, 4, echo);
    put_bits(d, 128, 2, e->bus);
    put_bits(d, 130, 3, 0); /* its tasks run: a hung one would send nothing */
    put_bits(d, 133, 1, (uint32_t)enabled(c));
    put_bits(d, 134, 2, e->monitor == MONITOR_OK && e->limiting ? MONITOR_LIMITING : e->monitor);
    e2e_protect(d, sizeof d, (uint16_t)(0x4080 + e->corner), &e->status_1_counter);
    transmit(c, 0x080u + e->corner, d, sizeof d);
}

static void send_status_2(const call_t *c)
{
    ecu_t *e = c->e;
    uint8_t d[20];
    unsigned lock = e->lock_losses >= 3                                      ? 3
                    : e->state == PARK_APPLYING || e->state == PARK_RELEASING ? 2
                                                                              : e->state == PARK_APPLIED;
    int32_t errors = c->host->watchdog_error_count(c->host);
    memset(d, 0xFF, sizeof d); /* pad wear, electronics, hours: not available */
    put_value(d, 24, 10, -e->pin[TRAVEL] * 1e6, 1.0, 0.0, 0.0, 1022.0);
    put_value(d, 42, 8, e->pin[WINDING], 1.0, -40.0, -40.0, 214.0);
    put_value(d, 58, 10, e->pin[DISC], 1.0, -40.0, -40.0, 980.0);
    put_value(d, 68, 10, e->pin[SUPPLY], 0.1, 0.0, 0.0, 102.0);
    put_value(d, 78, 10, e->pin[BATTERY], 0.2, -51.2, -51.2, 153.4);
    put_bits(d, 88, 2, lock);
    put_bits(d, 90, 4, e->self_test);
    put_bits(d, 94, 8, 0);
    put_bits(d, 102, 16, 0);
    put_bits(d, 134, 10, 512);
    put_bits(d, 144, 8, errors < 0 ? 0 : errors > 15 ? 15 : (uint32_t)errors);
    e2e_protect(d, sizeof d, (uint16_t)(0x4280 + e->corner), &e->status_2_counter);
    transmit(c, 0x280u + e->corner, d, sizeof d);
}

static int uds_moves(const call_t *c)
{
    const stream_t *vehicle = &c->e->in[VEHICLE];
    int known = c->now_ns <= vehicle->valid_until_ns && get_bits(vehicle->data, 40, 2) == QF_VALID;
    return size_of(c->e->pin[WHEEL]) > 0.3 || !known || 0.01 * get_bits(vehicle->data, 24, 16) > 0.5;
}

static unsigned uds_read(const call_t *c, unsigned did, uint8_t *out)
{
    static const struct {
        unsigned did;
        const char *text;
    } TEXTS[] = {
        {0xF187, "EMB-C99"}, {0xF188, "EMB-C99-SW"}, {0xF189, "C99 1.0.0"}, {0xF18A, "SIMCORE"},
        {0xF18C, "SN-C99-0001"}, {0xF190, "W0SMCRE00CHA00001"}, {0xF191, "EMB-C99-HW"},
        {0xF193, "HW 1.0"}, {0xF195, "C99 1.0.0"}
    };
    if (did == 0xF186) {
        out[0] = c->e->uds.session;
        return 1;
    }
    if (did == 0xF197) {
        memcpy(out, "EMB_", 4);
        memcpy(out + 4, CORNERS[c->e->corner], 2);
        return 6;
    }
    for (unsigned i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        if (TEXTS[i].did == did) {
            memcpy(out, TEXTS[i].text, strlen(TEXTS[i].text));
            return (unsigned)strlen(TEXTS[i].text);
        }
    }
    return 0;
}

/* ---- What the simulator calls ---- */

static void hear(const call_t *c, unsigned bus, const simcore_node_frame *frame)
{
    ecu_t *e = c->e;
    for (unsigned i = 0; i < STREAMS && !e->uds.deaf; i++) {
        stream_t *s = &e->in[i];
        if (frame->arbitration_id != RECEIVED[i].id) {
            continue;
        }
        stream_receive(s, &RECEIVED[i], frame->data, frame->length, bus, c->now_ns);
        if (i == PEDAL && s->fresh) { /* a command answers the pedal of a cycle ago */
            double share = pedal_share(s, 0);
            e->share_before = c->now_ns - e->pedal_ns <= 30 * MS ? e->share : share;
            e->share = share;
            e->pedal_ns = c->now_ns;
            s->fresh = 0;
        }
    }
    if (frame->arbitration_id == (uint32_t)DIAG_REQUEST + e->corner) {
        uds_receive(c, &e->uds, frame->data, frame->length, 0);
    } else if (frame->arbitration_id == DIAG_FUNCTIONAL) {
        uds_receive(c, &e->uds, frame->data, frame->length, 1);
    }
}

static void read_pins(const call_t *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (c->e->input[i] >= 0) {
            c->e->pin[i] = c->host->read(c->host, c->e->input[i]);
        }
    }
}

static void step(const call_t *c)
{
    ecu_t *e = c->e;
    int64_t up_ns = c->now_ns - e->origin_of_tasks_ns;
    int reset;

    read_pins(c, SUPPLY + 1);
    force_loop(c);
    if (up_ns % (5 * MS) == 0) {
        for (unsigned i = 0; i < STREAMS; i++) {
            stream_monitor(&e->in[i], &RECEIVED[i], c->now_ns);
        }
        read_pins(c, PINS);
        watch_arrival(c);
        watch_limits(c);
        watch_sensors(c);
        watch_force(c);
    }
    if (up_ns % (5 * MS) == STATUS_1_START_NS[e->corner] && !e->uds.mute) {
        read_pins(c, PINS);
        send_status_1(c);
    }
    if (up_ns % (50 * MS) == STATUS_2_START_NS[e->corner] && !e->uds.mute) {
        read_pins(c, PINS);
        send_status_2(c);
    }
    if (up_ns % (5 * MS) == 0) {
        /* A cut has taken the enable line down; where that did not help, no service is the last way. */
        int well = e->loops == (up_ns ? 5 : 1) && (e->monitor != MONITOR_CUT || !enabled(c));
        c->host->watchdog_serve(c->host, well);
        e->loops = 0;
    }
    reset = uds_tick(c, &e->uds);
    if (reset) {
        c->host->reset(c->host, reset);
    }
}

uint32_t simcore_node_abi_version(void) { return SIMCORE_NODE_ABI_VERSION; }

size_t simcore_node_state_size(void) { return sizeof(ecu_t); }

const simcore_node_description *simcore_node_describe(void)
{
    static const simcore_node_description description = {
        SIMCORE_NODE_RELOCATABLE | SIMCORE_NODE_FIXED_SCHEDULE, "brake actuator in C99", "1.0.0"
    };
    return &description;
}

void simcore_node_start(void *state, const simcore_node_host *host, uint32_t reset_cause, int64_t now_ns)
{
    ecu_t *e = state;
    const char *name = host->node_name;
    size_t length = strlen(name);
    uint32_t ids[STREAMS + 2], response;

    (void)reset_cause; /* all starts are alike */
    e->due_ns = SIMCORE_NODE_NEVER;
    for (e->corner = 0; e->corner < 4; e->corner++) {
        if (length > 2 && strcmp(name + length - 2, CORNERS[e->corner]) == 0) {
            break;
        }
    }
    if (e->corner == 4) {
        host->log(host, "fault", "no corner FL, FR, RL or RR at the end of the node's name: silent");
        return;
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        stream_start(&e->in[i]);
        ids[i] = RECEIVED[i].id;
    }
    ids[STREAMS] = (uint32_t)DIAG_REQUEST + e->corner;
    ids[STREAMS + 1] = DIAG_FUNCTIONAL;
    response = (uint32_t)DIAG_RESPONSE + e->corner;
    host->accept(host, ids, STREAMS + 2);
    host->confirm(host, &response, 1);
    for (unsigned i = 0; i < PINS; i++) {
        e->input[i] = host->find_input(host, PIN_NAMES[i]);
    }
    e->pin[WINDING] = 20.0; /* where nobody measures it */
    e->motor = host->find_output(host, "motor_current_a");
    e->lock = host->find_output(host, "park_lock_state");
    e->command.slope_n_per_s = 1e6;
    e->command.mode = MODE_CLEARANCE;
    e->share = e->share_before = NO_PEDAL;
    e->available_n = axle(e)->force_max_n;
    e->force_valid = 1;
    e->lane = NO_LANE;
    e->bus = BUS_NONE;
    e->uds.session = SESSION_DEFAULT;
    e->started_ns = e->origin_of_tasks_ns = e->due_ns = e->lost_ns = now_ns;
}

void simcore_node_receive_on(void *state, const simcore_node_host *host, uint32_t channel,
                             const simcore_node_frame *frame, int64_t now_ns)
{
    call_t c = {state, host, now_ns};
    if (c.e->due_ns != SIMCORE_NODE_NEVER && channel < 2) {
        hear(&c, channel, frame);
    }
}

void simcore_node_receive(void *state, const simcore_node_host *host, const simcore_node_frame *frame,
                          int64_t now_ns)
{
    simcore_node_receive_on(state, host, 0, frame, now_ns);
}

void simcore_node_transmitted(void *state, const simcore_node_host *host, uint32_t channel,
                              const simcore_node_frame *frame, int64_t now_ns)
{
    call_t c = {state, host, now_ns};
    (void)channel;
    (void)frame;
    uds_sent(&c, &c.e->uds);
}

void simcore_node_timer(void *state, const simcore_node_host *host, int64_t now_ns)
{
    call_t c = {state, host, now_ns};
    c.e->due_ns += 1 * MS;
    step(&c);
}

int64_t simcore_node_next_deadline(const void *state) { return ((const ecu_t *)state)->due_ns; }
