#include "coordinator/cli/characters.h"

#include "tests/test.h"

#define DEFINITION                                                                                 \
    "{\"task\":\"t\",\"output_type\":\"multiple_choice\",\"doc_to_text\":{\"template\":\"{{q}}\"}" \
    ","                                                                                            \
    "\"doc_to_target\":{\"column\":\"a\"},\"doc_to_choice\":{\"column\":\"c\"},\"gen_prefix\":"    \
    "null,"                                                                                        \
    "\"description\":null,\"target_delimiter\":\" \",\"fewshot_delimiter\":\"\\n\\n\","            \
    "\"shot\":{\"doc_to_text\":{\"template\":\"{{q}}\"},\"doc_to_target\":{\"column\":\"a\"},"     \
    "\"doc_to_choice\":{\"column\":\"c\"},\"gen_prefix\":null,\"target_delimiter\":\" \","         \
    "\"fewshot_delimiter\":\"\\n\\n\"},"                                                           \
    "\"fewshot\":{\"sampler\":\"first_n\",\"exclude_self\":false,\"num_fewshot\":null},"           \
    "\"metric_list\":[{\"metric\":\"acc\",\"aggregation\":\"mean\",\"higher_is_better\":true}],"   \
    "\"multiple_input\":false,\"multiple_target\":false,"                                          \
    "\"split\":{\"evaluate\":\"test\",\"fewshot\":null},\"version\":1,\"tag\":[]}"

static struct characters counted(int32_t shots, int32_t shard_items)
{
    static const char one[] = "{\"q\":\"가나\",\"a\":0,\"c\":[\"다\",\"라\"]}";
    static const char two[] = "{\"q\":\"가나\",\"a\":1,\"c\":[\"다라\",\"마\"]}";
    struct err err = { 0 };
    struct characters out = { -1, -1 };
    struct text items[] = { TEXT_LITERAL(one), TEXT_LITERAL(two) };
    int64_t ids[] = { 1, 2 };
    struct documents documents = { 2, 2, items, items, ids, ids };
    struct fewshot fewshot = { shots, 1234, TASK_SAMPLE_FIRST_N, false };
    AUTO(task_free) struct task *task = NULL;
    if (!task_open(&task, DEFINITION, strlen(DEFINITION), &err) ||
        !characters_count(&out, task, &documents, &fewshot, shard_items, &err))
        printf("%s\n", err.text);
    return out;
}

/* "가나 다", "가나 라", "가나 다라", "가나 마": 4 + 4 + 5 + 4 code points. */
TEST(every_request_is_counted_in_code_points) { CHECK(counted(0, 100).naive == 17); }

/* Sorted: 가나 다, then 라 after "가나 다", then 라 and 마 after "가나 ". */
TEST(a_shared_beginning_is_counted_once_a_shard)
{
    CHECK(counted(0, 100).unique == 4 + 1 + 1 + 1);
    CHECK(counted(0, 1).unique == (4 + 1) + (5 + 1));
}

/* Each of four prompts grows by "가나 다\n\n", which they share. */
TEST(shots_that_items_share_cost_once)
{
    CHECK(counted(1, 100).naive == 17 + 4 * 6);
    CHECK(counted(1, 100).unique == 7 + 6);
}
