/* A new module: a brake actuator that sends its status and does nothing yet. Begin here.
 *
 *     make build                                   the header is found through simcore itself
 *     make test                                    the conformance kit: what is there, what is missing
 *
 * It compiles and runs as it is; the TODOs are the order in which the kit has something to say.
 * Memory in five lines: README.md in the folder above. A complete module: ../brake_actuator.c.
 */
#include "simcore_node.h"

#include <string.h>

#define MS INT64_C(1000000) /* ns */

/* TODO 1: what your place on the network sends: `simcore dbc FILE`, or `simcore icd --as EMB_FL`. */
enum { STATUS_ID = 0x080, STATUS_DATA_ID = 0x4080, STATUS_LENGTH = 20 };
enum { COMMAND_ID = 0x060 };
#define STATUS_CYCLE_NS (5 * MS)
#define STATUS_DELAY_NS (1 * MS)

/* Everything that changes. No pointers and no static variables, so a run can be copied at any time;
 * the simulator has zeroed it before the start. */
typedef struct {
    int64_t due_ns;
    int64_t started_ns;
    uint8_t counter;
    uint8_t command_seen;
    int32_t force_pin, current_pin;
} module_t;

static void put_bits(uint8_t *data, unsigned start, unsigned length, uint32_t raw)
{
    for (unsigned i = start; i < start + length; i++, raw >>= 1) {
        data[i / 8] = (uint8_t)((data[i / 8] & ~(1u << i % 8)) | (raw & 1u) << i % 8);
    }
}

/* E2E profile 5: counter, then CRC-16 over everything but itself and the data id. */
static void protect(uint8_t *data, unsigned length, uint16_t data_id, uint8_t counter)
{
    uint16_t crc = 0xFFFF;
    data[2] = counter;
    for (unsigned i = 2; i < length + 2; i++) {
        crc = (uint16_t)(crc ^ (i < length ? data[i] : data_id >> 8 * (i - length) & 0xFF) << 8);
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    put_bits(data, 0, 16, crc);
}

static void send_status(module_t *m, const simcore_node_host *host)
{
    simcore_node_frame frame = {0};
    double force_n = host->read(host, m->force_pin);
    frame.arbitration_id = STATUS_ID;
    frame.flags = SIMCORE_NODE_FD | SIMCORE_NODE_BITRATE_SWITCH;
    frame.length = STATUS_LENGTH;
    memset(frame.data, 0xFF, STATUS_LENGTH); /* bits without a signal are 1 */
    put_bits(frame.data, 24, 16, (uint32_t)(int32_t)(force_n + 1000.5)); /* EMB_FL_FAct */
    put_bits(frame.data, 40, 2, 3);                                      /* EMB_FL_FActQf: Valid */
    put_bits(frame.data, 42, 4, 2);                                      /* EMB_FL_State: Ready */
    /* TODO 2: all other signals (now they read as "not available" or worse), and EMB_FL_St2. */
    protect(frame.data, STATUS_LENGTH, STATUS_DATA_ID, m->counter++);
    host->send(host, &frame, SIMCORE_NODE_DEFAULT_CHANNEL);
}

uint32_t simcore_node_abi_version(void) { return SIMCORE_NODE_ABI_VERSION; }

size_t simcore_node_state_size(void) { return sizeof(module_t); }

const simcore_node_description *simcore_node_describe(void)
{
    static const simcore_node_description description = {SIMCORE_NODE_RELOCATABLE, "my module", "0.1.0"};
    return &description;
}

void simcore_node_start(void *state, const simcore_node_host *host, uint32_t reset_cause, int64_t now_ns)
{
    static const uint32_t wanted[] = {COMMAND_ID};
    module_t *m = state;
    (void)reset_cause;
    m->started_ns = now_ns;
    m->due_ns = now_ns + STATUS_DELAY_NS;
    m->force_pin = host->find_input(host, "clamp_force_n");
    m->current_pin = host->find_output(host, "motor_current_a");
    host->accept(host, wanted, 1);
    host->log(host, "state", "my module starts");
}

void simcore_node_receive(void *state, const simcore_node_host *host, const simcore_node_frame *frame,
                          int64_t now_ns)
{
    module_t *m = state;
    (void)host;
    (void)now_ns;
    if (frame->arbitration_id == COMMAND_ID) {
        m->command_seen = 1; /* TODO 3: check length, checksum and counter, then take the request */
    }
}

void simcore_node_timer(void *state, const simcore_node_host *host, int64_t now_ns)
{
    module_t *m = state;
    send_status(m, host);
    host->write(host, m->current_pin, 0.0); /* TODO 4: control the force, every millisecond */
    host->watchdog_serve(host, 1);          /* TODO 5: only while all is well, every 5 ms */
    m->due_ns = now_ns + STATUS_CYCLE_NS;
}

int64_t simcore_node_next_deadline(const void *state) { return ((const module_t *)state)->due_ns; }
