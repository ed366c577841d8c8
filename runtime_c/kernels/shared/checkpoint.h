/* What was trained, kept in flash across power cuts.
 *
 * Two slots take turns. A slot is the data, filled up to whole writes, and behind it a record of what it is,
 * with a CRC over both. Saving writes the slot that does not hold the newest state, in ascending order, the
 * record last: until that is whole the other slot stays the newest that is valid, so that a power cut at any
 * write leaves the old state or the new one. Restoring checks everything before it changes anything.
 *
 * CRC-32 is that of IEEE 802.3 (polynomial 0x04C11DB7, reflected). */
#ifndef TINYCC_CHECKPOINT_H
#define TINYCC_CHECKPOINT_H

#include "common.h"

/* Flash, or any other memory that keeps. Callbacks return 0 when they succeed.
 *
 * write: offset and bytes are multiples of write_bytes; a write never crosses the end of a page. The first
 * write to a page is to its begin, and may erase it before. page_bytes: what is erased at once, a multiple of
 * write_bytes. write_bytes: what is written at once, at most TINYCC_CHECKPOINT_MOST_WRITE. */
#define TINYCC_CHECKPOINT_MOST_WRITE 64

typedef struct {
    void *context;
    int (*read)(void *context, uint32_t offset, void *to, uint32_t bytes);
    int (*write)(void *context, uint32_t offset, const void *from, uint32_t bytes);
    uint32_t page_bytes;
    uint32_t write_bytes;
} tinycc_flash;

typedef struct {
    uint32_t model;    /* which model and scheme the state is of */
    uint32_t sequence; /* one more with each save */
    uint32_t bytes;
    uint32_t crc; /* of the data and of the three words above */
} tinycc_checkpoint;

TINYCC_INLINE uint32_t tinycc_crc32(uint32_t crc, const uint8_t *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; ++i) {
        crc ^= from[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return crc;
}

TINYCC_INLINE uint32_t tinycc_checkpoint_crc(uint32_t data_crc, const tinycc_checkpoint *record)
{
    return ~tinycc_crc32(data_crc, (const uint8_t *)record, 3 * sizeof(uint32_t));
}

TINYCC_INLINE uint32_t tinycc_round_up(uint32_t value, uint32_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Where the record of a slot lies in it. */
TINYCC_INLINE uint32_t tinycc_checkpoint_record(const tinycc_flash *flash, uint32_t bytes)
{
    return tinycc_round_up(bytes, flash->write_bytes);
}

/* Bytes of a slot, whole pages. */
TINYCC_INLINE uint32_t tinycc_checkpoint_slot(const tinycc_flash *flash, uint32_t bytes)
{
    const uint32_t record = tinycc_round_up((uint32_t)sizeof(tinycc_checkpoint), flash->write_bytes);
    return tinycc_round_up(tinycc_checkpoint_record(flash, bytes) + record, flash->page_bytes);
}

TINYCC_INLINE int tinycc_flash_is_usable(const tinycc_flash *flash)
{
    return flash->write_bytes > 0 && flash->write_bytes <= TINYCC_CHECKPOINT_MOST_WRITE &&
           flash->page_bytes >= flash->write_bytes && flash->page_bytes % flash->write_bytes == 0;
}

/* Whether a slot holds a whole state of this model; its record. */
TINYCC_INLINE int tinycc_checkpoint_find(const tinycc_flash *flash, uint32_t slot, uint32_t model,
                                         uint32_t bytes, tinycc_checkpoint *record)
{
    const uint32_t begin = slot * tinycc_checkpoint_slot(flash, bytes);
    uint32_t crc = 0xFFFFFFFFu;
    uint8_t part[32];
    if (flash->read(flash->context, begin + tinycc_checkpoint_record(flash, bytes), record, sizeof *record) !=
            0 ||
        record->model != model || record->bytes != bytes) {
        return 0;
    }
    for (uint32_t done = 0; done < bytes; done += (uint32_t)sizeof part) {
        const uint32_t count = bytes - done < sizeof part ? bytes - done : (uint32_t)sizeof part;
        if (flash->read(flash->context, begin + done, part, count) != 0) {
            return 0;
        }
        crc = tinycc_crc32(crc, part, count);
    }
    return tinycc_checkpoint_crc(crc, record) == record->crc;
}

/* The slot of the newest state; -1 where there is none. */
TINYCC_INLINE int tinycc_checkpoint_newest(const tinycc_flash *flash, uint32_t model, uint32_t bytes,
                                           tinycc_checkpoint *record)
{
    tinycc_checkpoint other;
    const int first = tinycc_checkpoint_find(flash, 0, model, bytes, record);
    const int second = tinycc_checkpoint_find(flash, 1, model, bytes, &other);
    /* Sequence numbers wrap around: the newer one is less than half of all ahead. */
    if (second && (!first || (int32_t)(other.sequence - record->sequence) > 0)) {
        *record = other;
        return 1;
    }
    return first ? 0 : -1;
}

/* Writes bytes, filled up with zeros to whole writes, page by page. */
TINYCC_INLINE int tinycc_flash_fill(const tinycc_flash *flash, uint32_t offset, const uint8_t *from,
                                    uint32_t bytes)
{
    const uint32_t whole = bytes / flash->write_bytes * flash->write_bytes;
    uint32_t done = 0;
    while (done < whole) {
        const uint32_t page = flash->page_bytes - (offset + done) % flash->page_bytes;
        const uint32_t count = whole - done < page ? whole - done : page;
        if (flash->write(flash->context, offset + done, from + done, count) != 0) {
            return 1;
        }
        done += count;
    }
    if (whole < bytes) {
        uint8_t last[TINYCC_CHECKPOINT_MOST_WRITE] = {0};
        memcpy(last, from + whole, bytes - whole);
        return flash->write(flash->context, offset + whole, last, flash->write_bytes);
    }
    return 0;
}

/* 0 when the state is kept; 1 where flash failed, and what was kept before still is. */
TINYCC_INLINE int tinycc_checkpoint_save(const tinycc_flash *flash, uint32_t model, const int8_t *state,
                                         uint32_t bytes)
{
    tinycc_checkpoint record = {0, 0, 0, 0};
    if (!tinycc_flash_is_usable(flash)) {
        return 1;
    }
    const int newest = tinycc_checkpoint_newest(flash, model, bytes, &record);
    const uint32_t begin = newest == 0 ? tinycc_checkpoint_slot(flash, bytes) : 0;
    const uint8_t *const from = (const uint8_t *)state;
    record.sequence = newest < 0 ? 1 : record.sequence + 1;
    record.model = model;
    record.bytes = bytes;
    record.crc = tinycc_checkpoint_crc(tinycc_crc32(0xFFFFFFFFu, from, bytes), &record);
    if (tinycc_flash_fill(flash, begin, from, bytes) != 0) {
        return 1;
    }
    return tinycc_flash_fill(flash, begin + tinycc_checkpoint_record(flash, bytes), (const uint8_t *)&record,
                             sizeof record) != 0;
}

/* 0 when the newest state is read. 1 where there is none that is whole and of this model: nothing changes
 * then. 2 where flash failed on the way: the state may be partly read. */
TINYCC_INLINE int tinycc_checkpoint_restore(const tinycc_flash *flash, uint32_t model, int8_t *state,
                                            uint32_t bytes)
{
    tinycc_checkpoint record = {0, 0, 0, 0};
    if (!tinycc_flash_is_usable(flash)) {
        return 1;
    }
    const int newest = tinycc_checkpoint_newest(flash, model, bytes, &record);
    if (newest < 0) {
        return 1;
    }
    const uint32_t begin = (uint32_t)newest * tinycc_checkpoint_slot(flash, bytes);
    return flash->read(flash->context, begin, state, bytes) == 0 ? 0 : 2;
}

#endif
