/* What the brake actuator is: its interface as the database has it, its calibration, its memory.
 *
 * The state holds no pointers: a copy of its bytes is a copy of the actuator.
 */
#ifndef BRAKE_ACTUATOR_STATE_H
#define BRAKE_ACTUATOR_STATE_H

#include "brake_actuator_com.h"
#include "brake_actuator_uds.h"

/* ---- Interface: what the database says of this node ---- */

enum { PRIMARY, SECONDARY, PEDAL, VEHICLE, STREAMS };
static const message_t RECEIVED[STREAMS] = {
    {0x060, 0x4060, 24, 5 * MS},  /* CDC_EmbCmd */
    {0x064, 0x4064, 24, 10 * MS}, /* CDC2_EmbCmd */
    {0x0A0, 0x40A0, 16, 5 * MS},  /* BPS_Pedal */
    {0x0C8, 0x40C8, 16, 10 * MS}  /* CDC_VehDyn */
};
enum { DIAG_REQUEST = 0x6A2, DIAG_RESPONSE = 0x6AA, DIAG_FUNCTIONAL = 0x7DF }; /* plus the corner */
static const char CORNERS[4][3] = {"FL", "FR", "RL", "RR"};
static const int64_t STATUS_1_START_NS[4] = {1 * MS, 1 * MS, 2 * MS, 2 * MS};
static const int64_t STATUS_2_START_NS[4] = {45 * MS, 35 * MS, 34 * MS, 44 * MS};
enum { MODE_OFF, MODE_CLEARANCE, MODE_FORCE, MODE_HOLD, MODE_PARK_APPLY, MODE_PARK_RELEASE };
enum { ECHO_PEDAL_DIRECT = 8, ECHO_HOLD_LAST, ECHO_RAMP_OUT, ECHO_REJECTED = 14 };
enum { QF_INIT, QF_INVALID, QF_DEGRADED, QF_VALID };
enum { BUS_NONE = 2, NO_LANE = STREAMS };
enum { MONITOR_OK, MONITOR_LIMITING, MONITOR_CUT };
enum { TEST_NOT_RUN, TEST_RUNNING, TEST_PASSED, TEST_FAIL_POSITION = 4 };
enum { TEST_FAIL_SUPPLY = 7, TEST_ABORTED = 9 };
typedef enum {
    INIT, SELF_TEST, READY, FORCE_CTRL, PARK_APPLYING, PARK_APPLIED, PARK_RELEASING, DEGRADED,
    SAFE_RELEASED, FAULT_LOCKED
} state_t;
static const char *const STATE_NAMES[] = {
    "INIT", "SELF_TEST", "READY", "FORCE_CTRL", "PARK_APPLYING", "PARK_APPLIED", "PARK_RELEASING",
    "DEGRADED", "SAFE_RELEASED", "FAULT_LOCKED"
};

/* ---- Calibration ---- */

typedef struct {
    double torque_nm_per_a, current_max_a, inertia_kgm2, gear_m_per_rad, friction_nm, friction_nm_per_n;
    double stiffness_n_per_m, stiffening_n_per_m2, force_max_n, pedal_direct_n;
} axle_t;
static const axle_t AXLES[2] = {
    {0.11, 40.0, 1.2e-4, 4.97e-5, 0.040, 7.0e-6, 10.0e6, 20.0e9, 40000.0, 13800.0},
    {0.08, 32.0, 0.8e-4, 4.40e-5, 0.035, 6.5e-6, 9.0e6, 22.0e9, 27000.0, 8300.0}
};
#define CLEARANCE_M 0.25e-3
#define PARK_N 12000.0
#define SUPPLY_MIN_V 9.0
#define WHEEL_RADIUS_M 0.345

/* ---- State ---- */

typedef enum { FORCE, TRAVEL, SPEED, PHASE, SUPPLY, WHEEL, BATTERY, DISC, WINDING, LOCK, PINS } pin_t;
static const char *const PIN_NAMES[PINS] = {
    "clamp_force_n", "screw_travel_m", "motor_speed_radps", "phase_current_a", "supply_v",
    "wheel_speed_radps", "battery_current_a", "disc_temperature_c", "motor_temperature_c",
    "park_lock_state"
};
typedef struct {
    double force_n, slope_n_per_s;
    uint8_t mode, valid, emergency;
} command_t;
/* What a release waits for to be over. */
typedef enum { CAUSE_SUPPLY, CAUSE_SENSOR, CAUSE_ENABLE, CAUSE_HEAT, CAUSE_LATCHED } cause_t;

typedef struct ecu {
    stream_t in[STREAMS];
    uds_t uds;
    command_t command; /* the one obeyed */
    int64_t started_ns, due_ns, tested_ns, commanded_ns, lost_ns, emergency_ns, beyond_ns, pedal_ns;
    int64_t locked_ns, origin_ns, origin_of_tasks_ns;
    double pin[PINS], asked_n[7]; /* level 2: what was asked for in the last looks */
    double share, share_before;   /* of the pedal's travel; NO_PEDAL without a valid channel */
    double force_n, target_n, reference_n, available_n, current_a, contact_m, trim_m, pulses, permitted_n;
    double motion_m, travel_before_m, speed_before_radps, stall_travel_m, stall_force_n; /* plausibility */
    int32_t input[PINS], motor, lock;
    int8_t force_count, stall_count, excess_count, full_looks, free_looks, late_count;
    uint8_t corner, state, cause, self_test, force_valid, warning, low_supply, monitor, limiting, late;
    uint8_t commanded, lane, echo, bus, beyond, loops, looked, lock_losses, arrived;
    uint8_t status_1_counter, status_2_counter;
} ecu_t;

static const axle_t *axle(const ecu_t *e) { return &AXLES[e->corner / 2]; }
static int enabled(const call_t *c) { return c->host->watchdog_enabled(c->host) != 0; }
static int braking(const ecu_t *e)
{
    return e->state == READY || e->state == FORCE_CTRL || e->state == DEGRADED;
}
static int motor_off(const ecu_t *e)
{
    return e->state == SAFE_RELEASED || e->state == FAULT_LOCKED || e->state == PARK_APPLIED;
}
static double least(double a, double b) { return a < b ? a : b; }
static double most(double a, double b) { return a > b ? a : b; }
static double size_of(double a) { return a < 0.0 ? -a : a; }

static double root(double square) /* the C library's would need -lm */
{
    uint64_t bits;
    double x;
    if (!(square > 0.0)) {
        return 0.0;
    }
    memcpy(&bits, &square, sizeof bits);
    bits = (bits >> 1) + (UINT64_C(1023) << 51); /* half the exponent */
    memcpy(&x, &bits, sizeof x);
    for (int i = 0; i < 5; i++) {
        x = 0.5 * (x + square / x);
    }
    return x;
}

#endif
