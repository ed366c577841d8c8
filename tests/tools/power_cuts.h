/* For the end of "model.h": as the harness calls it, a training step is saved to flash with the power cut at
 * one write more than the last time, and the state that is restored then is told in place of the loss: 0 for
 * the one that was kept before, 1 for the new one, -1 for none or another. The first save is whole. */
#ifndef POWER_CUTS_H
#define POWER_CUTS_H

#define POWER_CUTS_PAGE 64
#define POWER_CUTS_WRITE 8

static struct {
    uint8_t flash[2 * MODEL_STATE_BYTES + 8 * POWER_CUTS_PAGE];
    int8_t kept[MODEL_STATE_BYTES];
    model_arena started;
    int32_t cut; /* at which write of a save; -1 for none */
    int32_t writes_left;
} power_cuts = {.cut = -1};

static int power_cuts_read(void *context, uint32_t offset, void *to, uint32_t bytes)
{
    (void)context;
    memcpy(to, power_cuts.flash + offset, bytes);
    return 0;
}

static int power_cuts_write(void *context, uint32_t offset, const void *from, uint32_t bytes)
{
    (void)context;
    for (uint32_t done = 0; done < bytes; done += POWER_CUTS_WRITE) {
        uint8_t *const to = power_cuts.flash + offset + done;
        const int is_cut = power_cuts.writes_left == 0;
        if ((offset + done) % POWER_CUTS_PAGE == 0) {
            memset(to, 0xFF, is_cut ? POWER_CUTS_PAGE / 2 : POWER_CUTS_PAGE);
        }
        memcpy(to, (const uint8_t *)from + done, is_cut ? POWER_CUTS_WRITE / 2 : POWER_CUTS_WRITE);
        if (is_cut) {
            return 1;
        }
        power_cuts.writes_left -= power_cuts.writes_left > 0;
    }
    return 0;
}

static float power_cuts_train_step_in(model_arena *arena, const int8_t *x, int label)
{
    const tinycc_flash flash = {0, power_cuts_read, power_cuts_write, POWER_CUTS_PAGE, POWER_CUTS_WRITE};
    const int8_t *const states = arena->bytes + MODEL_STATES;
    const int8_t *const restored = power_cuts.started.bytes + MODEL_STATES;
    model_train_step_in(arena, x, label);
    power_cuts.writes_left = power_cuts.cut++;
    model_save_in(arena, &flash);
    model_reset_in(&power_cuts.started);
    if (model_restore_in(&power_cuts.started, &flash) != 0) {
        return -1.0f;
    }
    const int is_new = memcmp(restored, states, MODEL_STATE_BYTES) == 0;
    const int is_old = memcmp(restored, power_cuts.kept, MODEL_STATE_BYTES) == 0;
    memcpy(power_cuts.kept, restored, MODEL_STATE_BYTES);
    return is_new ? 1.0f : (is_old ? 0.0f : -1.0f);
}

#define model_train_step_in power_cuts_train_step_in

#endif
