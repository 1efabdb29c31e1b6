/* Opening devices, memory, and what is shared by backends. */
#include "kernels/convert.h"
#include "tests/ops/random.h"
#include "tests/test.h"

TEST(a_device_is_opened_by_name)
{
    static const char *const good[] = { "cpu",      "cpu:avx512_bf16", "cpu:avx512",
                                        "cpu:avx2", "cpu:scalar",      "ref" };
    static const char *const bad[] = { "", "gpu", "cpu:", "cpu:mmx", "cpux" };
    struct err err;

    for (size_t i = 0; i < COUNT(good); i++) {
        AUTO(dev_close) struct dev *dev = NULL;
        CHECK(dev_open(&dev, good[i], 1, &err));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct dev *dev = NULL;
        CHECK(!dev_open(&dev, bad[i], 1, &err));
        CHECK(err.code == ERR_INPUT && dev == NULL);
    }
}

TEST(instruction_sets_and_threads_are_one_class)
{
    AUTO(dev_close) struct dev *a = NULL;
    AUTO(dev_close) struct dev *b = NULL;
    struct err err;

    CHECK(dev_open(&a, "cpu:scalar", 1, &err) && dev_open(&b, "cpu", 3, &err));
    CHECK(!strcmp(a->facts, b->facts));
}

TEST(too_much_memory_is_an_error_of_the_device)
{
    AUTO(dev_close) struct dev *dev = NULL;
    struct mat m;
    struct err err;

    CHECK(dev_open(&dev, "cpu", 1, &err));
    CHECK(!mat_alloc(&m, dev, F32, 2000000000, 2000000000, &err));
    CHECK(err.code == ERR_DEVICE);
}

TEST(mats_arrive_in_the_devices_type)
{
    AUTO(dev_close) struct dev *dev = NULL;
    float host[6] = { 0, 1, -2.5f, 1e-3f, 300, 0.1f };
    struct mat m;
    struct err err;

    CHECK(dev_open(&dev, "cpu", 1, &err));
    for (int type = F32; type <= F16; type++) {
        dev_numerics(dev, (enum dtype)type, MODE_HF);
        CHECK(mat_make(&m, dev, host, F32, 2, 3, &err));
        CHECK(m.type == (enum dtype)type && m.rows == 2 && m.cols == 3);
        for (int i = 0; i < 6; i++)
            CHECK(convert_load(m.data, m.type, i) == convert_round(host[i], m.type));
        mat_free(dev, &m);
        CHECK(!m.data);
    }
}

TEST(a_mats_rows_are_a_mat)
{
    float numbers[12] = { 0 };
    struct mat m = { numbers, F32, 4, 3 }, part = mat_rows(m, 1, 2);

    CHECK(part.rows == 2 && part.cols == 3 && part.data == &numbers[3]);
    CHECK(mat_bytes(part) == 24);
}

TEST(room_is_told_before_it_is_taken)
{
    AUTO(dev_close) struct dev *dev = NULL;
    struct room small = { 64, 64, 4, 4, 64 }, large = { 64, 8192, 4, 4, 64 };
    struct err err;

    CHECK(dev_open(&dev, "cpu", 2, &err));
    CHECK(dev_room_bytes(dev, &large) > dev_room_bytes(dev, &small));
    CHECK(dev_reserve(dev, &large, &err));
    CHECK(dev_reserve(dev, &small, &err));
    CHECK(weight_bytes(dev, 17, 3) == 2 * 3 * 64);
    dev_numerics(dev, BF16, MODE_HF);
    CHECK(weight_bytes(dev, 17, 3) == 2 * 2 * 64);
    CHECK(kv_row_bytes(dev, 128) == 2 * 128 * 2 + 1);
}
