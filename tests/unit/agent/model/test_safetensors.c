#include "agent/model/safetensors.h"
#include "tests/requests.h"
#include "tests/test.h"

#include <malloc.h>

static struct err err;

/* A file of this header and `size` bytes of data, read; the result is closed again. */
static bool reads_with(struct safetensors *out, const char *header, size_t size)
{
    static char file[4096];
    uint64_t length = strlen(header);

    assert(8 + length + size <= sizeof(file));
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    memset(file + 8 + length, 7, size);
    err = (struct err){ 0 };
    return safetensors_read(out, file, 8 + length + size, &err);
}

static bool refuses(const char *header, size_t size, const char *why)
{
    struct safetensors file = { 0 };
    if (!reads_with(&file, header, size) && err.code == ERR_INPUT && strstr(err.text, why))
        return true;
    printf("  %s -> %s\n", header, err.code ? err.text : "taken");
    safetensors_close(&file);
    return false;
}

#define T(name, type, shape, begin, end)                                                          \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end \
    "]}"

TEST(tensors_are_found_by_name_whatever_their_order)
{
    AUTO(safetensors_close) struct safetensors file = { 0 };
    CHECK(reads_with(&file,
                     "{\"__metadata__\":{\"format\":\"pt\"}," T("b", "F32", "2,3", "4", "28") "," T(
                         "a", "BF16", "2", "0", "4") "," T("none", "F16", "0,5", "28",
                                                           "28") "," T("one", "U8", "", "28",
                                                                       "29") "}   ",
                     29));
    const struct tensor *b = safetensors_find(&file, "b");
    const struct tensor *a = safetensors_find(&file, "a");
    CHECK(file.count == 4 && a && b && !safetensors_find(&file, "c"));
    CHECK(b->rank == 2 && b->shape[0] == 2 && b->shape[1] == 3 && b->type == TENSOR_F32);
    CHECK((const char *)b->data - (const char *)a->data == 4 && b->bytes == 24);
    CHECK(safetensors_find(&file, "one")->type == TENSOR_OTHER);
    CHECK(!strcmp(safetensors_find(&file, "one")->type_name, "U8"));
}

TEST(an_empty_file_of_tensors_is_one)
{
    AUTO(safetensors_close) struct safetensors file = { 0 };
    CHECK(reads_with(&file, "{}", 0) && file.count == 0 && !safetensors_find(&file, "a"));
}

TEST(tensors_that_do_not_tile_the_data_are_refused)
{
    CHECK(refuses("{" T("a", "F32", "1", "4", "8") "}", 8, "a hole"));
    CHECK(refuses("{" T("a", "F32", "1", "0", "4") "," T("b", "F32", "1", "8", "12") "}", 12,
                  "a hole"));
    CHECK(refuses("{" T("a", "F32", "2", "0", "8") "," T("b", "F32", "1", "4", "8") "}", 8,
                  "an overlap"));
    CHECK(refuses("{" T("a", "F32", "1", "0", "4") "}", 5, "end at byte 4 of 5"));
    CHECK(refuses("{" T("a", "F32", "1", "0", "4") "}", 3, "end at byte 4 of 3"));
    CHECK(refuses("{}", 1, "end at byte 0 of 1"));
}

TEST(a_shape_that_lies_about_its_bytes_is_refused)
{
    CHECK(refuses("{" T("a", "F32", "2", "0", "4") "}", 4, "disagree"));
    CHECK(refuses("{" T("a", "F32", "1", "8", "4") "}", 8, "end before they begin"));
    /* products that wrap to 0 and to 4 */
    CHECK(refuses("{" T("a", "F32", "4294967296,4294967296", "0", "0") "}", 0, "disagree"));
    CHECK(refuses("{" T("a", "F32", "281474976710656,65536,1", "0", "0") "}", 0, "disagree"));
    CHECK(refuses("{" T("a", "F4", "3", "0", "2") "}", 2, "disagree")); /* 12 bits */
}

TEST(members_must_be_there_once_and_be_what_they_are)
{
    CHECK(refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[0]}}", 0, "without"));
    CHECK(refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"shape\":[0],\"data_offsets\":[0,0]}}",
                  0, "repeated"));
    CHECK(refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":1}}", 0,
                  "unexpected"));
    CHECK(refuses("{\"a\":{\"dtype\":\"F33\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
                  "unknown dtype"));
    CHECK(refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0]}}", 0,
                  "data_offsets of 1"));
    CHECK(refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0,0]}}", 0,
                  "data_offsets of 3"));
    CHECK(refuses("{" T("a", "U8", "1,1,1,1,1,1,1,1,1", "0", "1") "}", 1, "dimensions"));
    CHECK(refuses("{" T("a", "F32", "-1", "0", "4") "}", 4, "integer"));
    CHECK(refuses("{" T("a", "F32", "1.0", "0", "4") "}", 4, "integer"));
    CHECK(refuses("{" T("a", "F32", "1", "0", "18446744073709551620") "}", 4, "integer"));
    CHECK(refuses("{\"__metadata__\":{\"x\":1}}", 0, "header"));
    CHECK(refuses("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "second"));
    CHECK(refuses("{" T("a\\n", "U8", "1", "0", "1") "}", 1, "control character"));
}

TEST(a_name_stands_once)
{
    CHECK(refuses("{" T("a", "U8", "1", "0", "1") "," T("\\u0061", "U8", "1", "1", "2") "}", 2,
                  "occurs twice"));
}

TEST(a_header_is_json_that_begins_with_a_brace)
{
    CHECK(refuses(" {}", 0, "begin with {"));
    CHECK(refuses("", 0, "begin with {"));
    CHECK(refuses("{\"a\":", 0, "header"));
    CHECK(refuses("{} {}", 0, "header"));
    CHECK(refuses("{\"\xff\":1}", 0, "UTF-8"));
}

TEST(a_header_length_that_lies_is_refused_before_anything_is_taken)
{
    struct safetensors file = { 0 };
    static const uint64_t lies[] = { 3,          100,           100000001, (uint64_t)1 << 63,
                                     UINT64_MAX, UINT64_MAX - 7 };
    char bytes[10] = { 0 };

    memcpy(bytes + 8, "{}", 2);
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < COUNT(lies); i++) {
        memcpy(bytes, &lies[i], 8);
        CHECK(!safetensors_read(&file, bytes, sizeof(bytes), &err));
        CHECK(strstr(err.text, "a header of"));
    }
    CHECK(!safetensors_read(&file, bytes, 7, &err));
    CHECK(mallinfo2().uordblks == before);
}

TEST(every_cut_of_a_file_is_refused)
{
    const char header[] = "{" T("a", "F32", "2", "0", "8") "}";
    char bytes[128];
    uint64_t length = strlen(header);
    struct safetensors file = { 0 };

    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    memset(bytes + 8 + length, 0, 8);
    for (size_t size = 0; size < 8 + length + 8; size++)
        CHECK(!safetensors_read(&file, bytes, size, &err));
    CHECK(safetensors_read(&file, bytes, 8 + length + 8, &err));
    safetensors_close(&file);
}

TEST(what_is_no_regular_file_is_refused)
{
    struct safetensors file = { 0 };
    CHECK(!safetensors_open(&file, "/tmp", &err) && strstr(err.text, "regular"));
    CHECK(!safetensors_open(&file, "/nonexistent/x", &err) && strstr(err.text, "open"));
}

TEST(no_change_of_a_few_bytes_is_more_than_a_refusal)
{
    const char header[] =
        "{\"__metadata__\":{\"a\":\"b\"}," T("a", "F32", "2", "0", "8") "," T("b", "BF16", "1,2",
                                                                              "8", "12") "}";
    char good[256], bad[256];
    uint64_t length = strlen(header), seed = 1;
    size_t size = 8 + length + 12, taken = 0;

    memcpy(good, &length, 8);
    memcpy(good + 8, header, length);
    memset(good + 8 + length, 0, 12);
    for (int i = 0; i < 20000; i++) {
        struct safetensors file = { 0 };
        memcpy(bad, good, size);
        for (int changes = 1 + rnd_below(&seed, 3); changes > 0; changes--)
            bad[rnd_below(&seed, (int32_t)size)] = (char)rnd_below(&seed, 256);
        err = (struct err){ 0 };
        if (safetensors_read(&file, bad, size - (size_t)rnd_below(&seed, 3), &err))
            taken++;
        else
            CHECK(err.code == ERR_INPUT);
        safetensors_close(&file);
    }
    CHECK(taken < 20000);
}
