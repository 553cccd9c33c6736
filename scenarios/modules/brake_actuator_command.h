/* Which command the brake actuator obeys (COM-004), and how far one may raise the force (SAF-004). */
#ifndef BRAKE_ACTUATOR_COMMAND_H
#define BRAKE_ACTUATOR_COMMAND_H

#include "brake_actuator_state.h"

static command_t read_command(const ecu_t *e, const uint8_t *data)
{
    unsigned at = 32 + 29u * e->corner;
    command_t command;
    command.force_n = get_bits(data, at, 16);
    command.mode = (uint8_t)get_bits(data, at + 16, 3);
    command.slope_n_per_s = 4000.0 * get_bits(data, at + 19, 8);
    if (command.slope_n_per_s == 0.0)
        command.slope_n_per_s = 1e6; /* no limit but the actuator's own */
    command.valid = (uint8_t)get_bits(data, at + 27, 1);
    command.emergency = (uint8_t)get_bits(data, 27, 1);
    return command;
}

static double asked_force(const command_t *command, double present_n)
{
    return command->mode == MODE_FORCE  ? command->force_n
           : command->mode == MODE_HOLD ? most(command->force_n, present_n)
                                        : 0.0;
}

#define NO_PEDAL 1e9
static double pedal_share(const stream_t *pedal, int safe_side_low)
{
    double travel[2];
    int valid[2];
    for (unsigned i = 0; i < 2; i++) {
        travel[i] = 0.05 * get_bits(pedal->data, 24 + 12 * i, 12);
        valid[i] = get_bits(pedal->data, 70 + 2 * i, 2) == QF_VALID;
    }
    if (!valid[0] && !valid[1]) {
        return NO_PEDAL;
    }
    if (safe_side_low) { /* what the driver asks for at least */
        travel[0] = !valid[0] ? travel[1] : !valid[1] ? travel[0] : least(travel[0], travel[1]);
    } else {
        travel[0] = most(travel[0], travel[1]);
    }
    return most(0.0, least(1.0, (travel[0] - 2.0) / 58.0));
}

/* What of a rising request is followed: what pedal or lasting emergency explain, at once; else a
 * slow rise to a share of the force, and requests of assistants once they are confirmed (SAF-004). */
static double plausible_n(const call_t *c, const command_t *command, int64_t cycle_ns)
{
    ecu_t *e = c->e;
    const axle_t *a = axle(e);
    double before_n = e->command.force_n, share = most(e->share, e->share_before);
    int no_pedal = share >= NO_PEDAL || c->now_ns > e->in[PEDAL].updated_ns + 6 * RECEIVED[PEDAL].cycle_ns;
    double explained_n = no_pedal ? 0.0 : 4.5 * share * a->pedal_direct_n;
    double base_n = most(explained_n, before_n), assist_n = no_pedal ? 1e9 : a->pedal_direct_n;
    double allowed_n = least(base_n + 100e3 * 1e-9 * (double)cycle_ns, most(base_n, 0.5 * a->force_max_n));

    if ((command->emergency && c->now_ns - e->emergency_ns >= 3 * cycle_ns - cycle_ns / 2)
        || command->force_n <= most(explained_n, allowed_n)) {
        e->limiting = 0;
        return command->force_n;
    }
    if (c->now_ns - e->beyond_ns > cycle_ns + cycle_ns / 2) {
        e->beyond = 0; /* not in a row */
    }
    e->beyond = (uint8_t)(e->beyond + (e->beyond < 9));
    e->beyond_ns = c->now_ns;
    if (command->force_n <= assist_n && e->beyond > 3) {
        e->limiting = 0;
        return command->force_n;
    }
    if (command->force_n > most(allowed_n + 8000.0, assist_n) && !e->limiting && !command->emergency) {
        e->limiting = 1;
        c->host->log(c->host, "detection", "request that neither pedal nor emergency braking explains");
    }
    return allowed_n;
}

static void without_command(const call_t *c)
{
    ecu_t *e = c->e;
    const stream_t *vehicle = &e->in[VEHICLE];
    double share = c->now_ns <= e->in[PEDAL].valid_until_ns ? pedal_share(&e->in[PEDAL], 1) : NO_PEDAL;
    int speed_known = get_bits(vehicle->data, 40, 2) == QF_VALID; /* however old */
    double speed_kmh = speed_known ? 0.01 * get_bits(vehicle->data, 24, 16) : 0.0;
    int64_t lost_ns;

    if (e->lane != NO_LANE) {
        e->lane = NO_LANE;
        e->lost_ns = e->commanded_ns;
    }
    e->bus = BUS_NONE;
    lost_ns = c->now_ns - e->lost_ns;
    if (share != 0.0 && lost_ns < 100 * MS) { /* a pedal that is released ends all holding */
        e->echo = e->commanded ? ECHO_HOLD_LAST : MODE_OFF;
        return;
    }
    if (share != 0.0 && lost_ns < 300 * MS && e->echo == ECHO_HOLD_LAST && e->command.force_n > 0.0
        && speed_kmh > 5.0) {
        return;
    }
    e->echo = share == NO_PEDAL ? ECHO_RAMP_OUT : ECHO_PEDAL_DIRECT;
    e->command.force_n = share == NO_PEDAL ? 0.0 : share * axle(e)->pedal_direct_n;
    e->command.mode = e->command.force_n > 0.0 ? MODE_FORCE : MODE_CLEARANCE;
    e->command.slope_n_per_s = 1e6;
    e->command.emergency = 0;
}

static void select_command(const call_t *c)
{
    ecu_t *e = c->e;
    for (uint8_t lane = PRIMARY; lane <= SECONDARY; lane++) {
        stream_t *s = &e->in[lane];
        command_t command;
        if (c->now_ns > s->valid_until_ns || (lane == PRIMARY && e->late)) {
            continue;
        }
        if (e->lane == lane && !s->fresh) {
            return;
        }
        command = read_command(e, s->data);
        if (!command.valid || command.force_n > 65000.0 || command.slope_n_per_s > 1016e3) {
            continue; /* reserved values: no valid command */
        }
        if (command.emergency && !e->command.emergency) {
            e->emergency_ns = c->now_ns;
        }
        if (command.force_n > e->command.force_n) {
            command.force_n = plausible_n(c, &command, RECEIVED[lane].cycle_ns);
        } else {
            e->limiting = 0;
        }
        e->command = command;
        e->echo = command.mode;
        e->commanded = 1;
        e->commanded_ns = s->updated_ns;
        e->lane = lane;
        e->bus = s->bus;
        s->fresh = 0;
        return;
    }
    without_command(c);
}

#endif
