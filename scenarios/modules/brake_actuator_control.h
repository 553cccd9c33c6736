/* Force control of the brake actuator: force over travel over speed over current, at 1 kHz. */
#ifndef BRAKE_ACTUATOR_CONTROL_H
#define BRAKE_ACTUATOR_CONTROL_H

#include "brake_actuator_command.h"
#include "brake_actuator_modes.h"

static double motor_current_a(ecu_t *e, double target_n)
{
    const axle_t *a = axle(e);
    double error_m, distance_rad, speed_radps, direction, torque_nm, slope_n_per_m;

    if (e->pin[SUPPLY] < 6.0) {
        return 0.0;
    }
    if (target_n <= 50.0) { /* open, up to the clearance */
        e->contact_m += most(-20e-6, least(20e-6, e->trim_m)); /* pads wear, discs expand */
        e->trim_m = 0.0;
        error_m = e->contact_m - CLEARANCE_M - e->pin[TRAVEL];
        if (e->pin[SPEED] == 0.0 && error_m > -5e-6 && error_m < 5e-6) {
            return 0.0;
        }
    } else { /* where the stiffness curve has this force; near it the sensor trims */
        slope_n_per_m = root(a->stiffness_n_per_m * a->stiffness_n_per_m
                             + 4.0 * a->stiffening_n_per_m2 * target_n);
        error_m = e->contact_m + (slope_n_per_m - a->stiffness_n_per_m) / (2.0 * a->stiffening_n_per_m2)
                  - e->pin[TRAVEL];
        if (size_of(error_m + e->trim_m) < 30e-6) {
            e->trim_m += 0.006 * (target_n - e->force_n) / slope_n_per_m;
            e->trim_m = most(-50e-6, least(50e-6, e->trim_m));
        }
        error_m += e->trim_m;
    }
    /* Time-optimal approach with a share of what the motor can do, linear near the target. */
    distance_rad = size_of(error_m) / a->gear_m_per_rad;
    speed_radps = root(0.7 * a->torque_nm_per_a * a->current_max_a / a->inertia_kgm2 * distance_rad);
    speed_radps = least(150.0 * distance_rad, speed_radps);
    speed_radps = error_m < 0.0 ? -speed_radps : speed_radps;
    direction = speed_radps / root(speed_radps * speed_radps + 400.0);
    torque_nm = 250.0 * a->inertia_kgm2 * (speed_radps - e->pin[SPEED]) + a->gear_m_per_rad * e->force_n
                + 0.7 * (a->friction_nm + a->friction_nm_per_n * e->force_n) * direction;
    if (!(size_of(torque_nm) < 1e3)) { /* no number: a sensor gave none */
        return 0.0;
    }
    return most(-a->current_max_a, least(a->current_max_a, torque_nm / a->torque_nm_per_a));
}

static double target_n(const call_t *c)
{
    ecu_t *e = c->e;
    int parked_n = e->force_n >= PARK_N - 500.0;
    double asked_n;

    switch (e->state) {
    case READY:
    case FORCE_CTRL:
    case DEGRADED:
        asked_n = least(asked_force(&e->command, e->force_n), e->available_n);
        if (e->command.mode == MODE_PARK_APPLY && e->state != DEGRADED) {
            enter(c, PARK_APPLYING, "park brake asked for");
        } else if (asked_n > 50.0 && e->state == READY) {
            enter(c, FORCE_CTRL, "force asked for");
        } else if (asked_n <= 50.0 && e->state == FORCE_CTRL) {
            enter(c, READY, "released");
        }
        return asked_n;
    case PARK_APPLYING:
        if (e->command.mode == MODE_PARK_RELEASE) {
            enter(c, PARK_RELEASING, "release asked for");
        } else if (parked_n && e->lock_losses < 3) {
            c->host->write(c->host, e->lock, 1.0);
            enter(c, PARK_APPLIED, "locked");
        }
        return PARK_N;
    case PARK_APPLIED:
        if (e->command.mode == MODE_PARK_RELEASE) {
            enter(c, PARK_RELEASING, "release asked for");
        }
        return 0.0;
    case PARK_RELEASING: /* the motor takes the load before the lock opens */
        if (parked_n) {
            c->host->write(c->host, e->lock, 0.0);
            enter(c, READY, "unlocked");
        }
        return PARK_N;
    case SAFE_RELEASED:
        recover(c);
        return 0.0;
    case FAULT_LOCKED:
        return 0.0;
    default:
        self_test(c);
        return 0.0;
    }
}

static void force_loop(const call_t *c)
{
    ecu_t *e = c->e;
    double asked_n, step_n, current_a;

    e->loops++;
    judge_sensors(c);
    select_command(c);
    asked_n = target_n(c);
    step_n = 0.001 * least(e->command.slope_n_per_s, 1e6);
    e->reference_n = most(e->reference_n - step_n, least(e->reference_n + step_n, asked_n));
    if (e->monitor != MONITOR_CUT
        && e->pin[PHASE] > most(0.0, e->current_a) + 0.45 * axle(e)->current_max_a) {
        e->monitor = MONITOR_CUT; /* the power stage drives by itself: only the other way off helps */
        c->host->watchdog_demand_safe_state(c->host);
        fail(c, CAUSE_LATCHED, "motor current that was not asked for");
    }
    if (motor_off(e)) {
        e->reference_n = current_a = 0.0;
    } else {
        current_a = motor_current_a(e, e->reference_n);
    }
    if (current_a != e->current_a) {
        e->current_a = current_a;
        c->host->write(c->host, e->motor, current_a);
    }
}

#endif
