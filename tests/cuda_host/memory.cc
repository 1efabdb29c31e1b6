/* memory.cc - the runtime's memory, streams and events.
 *
 * The first stream of a device runs what it is given at once.  Later ones are lazy: a copy runs
 * when another stream waits for an event that was recorded behind it, or when its stream is
 * awaited; a wait that is missing therefore shows as poison.  Pointers of copies are looked up: a
 * host pointer where device memory belongs ends the program. */
#include "grid.h"
#include <map>
#include <mutex>
#include <vector>

#define POISON            0xff
#define HOST_MEMORY_BYTES ((size_t)4 << 30)

static std::map<const char *, size_t> memory;
static size_t allotted;
static std::vector<std::vector<char>> snapshots[2];

void host_memory_save(int number)
{
    std::vector<std::vector<char>> &all = snapshots[number];
    all.resize(memory.size());
    size_t i = 0;
    for (auto m : memory)
        all[i++].assign(m.first, m.first + m.second);
}

void host_memory_load(int number)
{
    size_t i = 0;
    for (auto m : memory)
        memcpy((char *)m.first, snapshots[number][i++].data(), m.second);
}

void host_memory_compare(int number)
{
    size_t i = 0;
    for (auto m : memory) {
        const char *want = snapshots[number][i].data();
        for (size_t at = 0; memcmp(m.first, want, m.second) && at < m.second; at++)
            if (m.first[at] != want[at])
                host_die("schedules differ: buffer %zu of %zu bytes, at byte %zu", i, m.second, at);
        i++;
    }
}

static void check_device(const void *at, size_t bytes, const char *what)
{
    auto m = memory.upper_bound((const char *)at);
    if (bytes == 0)
        return;
    if (m == memory.begin() || (--m, (const char *)at + bytes > m->first + m->second))
        host_die("%s of %zu bytes is not in device memory", what, bytes);
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    if (bytes > HOST_MEMORY_BYTES - allotted)
        return cudaErrorMemoryAllocation;
    if (posix_memalign(out, 256, bytes))
        return cudaErrorMemoryAllocation;
    memset(*out, POISON, bytes);
    memory[(char *)*out] = bytes;
    allotted += bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *at)
{
    if (!at)
        return cudaSuccess;
    check_device(at, 1, "cudaFree");
    allotted -= memory[(char *)at];
    memory.erase((char *)at);
    free(at);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned)
{
    *out = malloc(bytes);
    return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *at)
{
    free(at);
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device ? cudaErrorInvalidDevice : cudaSuccess; }

cudaError_t cudaDeviceGetAttribute(int *out, enum cudaDeviceAttr what, int)
{
    *out = what == cudaDevAttrComputeCapabilityMajor ? 8 : 0;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *out)
{
    *out = 0;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *out) { return cudaRuntimeGetVersion(out); }

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total)
{
    *unused = HOST_MEMORY_BYTES - allotted;
    *total = HOST_MEMORY_BYTES;
    return cudaSuccess;
}

/* ---- streams ---- */

struct copy {
    void *to;
    const void *from;
    size_t bytes;
};

struct host_stream {
    bool lazy;
    std::vector<struct copy> waiting;
};

struct host_event {
    struct host_stream *stream;
    size_t behind; /* so many of its copies */
};

static int streams;

static void copies_run(struct host_stream *s, size_t count)
{
    for (size_t i = 0; i < count && i < s->waiting.size(); i++)
        memcpy(s->waiting[i].to, s->waiting[i].from, s->waiting[i].bytes);
    s->waiting.erase(s->waiting.begin(),
                     s->waiting.begin() +
                         (long)(count < s->waiting.size() ? count : s->waiting.size()));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
    *out = new host_stream;
    (*out)->lazy = streams++ % 2; /* a device makes two */
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    streams--;
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    copies_run(stream, stream->waiting.size());
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned)
{
    *out = new host_event();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    event->stream = stream;
    event->behind = stream->waiting.size();
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    if (event->stream && event->stream != stream)
        copies_run(event->stream, event->behind);
    event->stream = NULL;
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    if (kind != cudaMemcpyDeviceToHost)
        check_device(to, bytes, "the target of a copy");
    if (kind != cudaMemcpyHostToDevice)
        check_device(from, bytes, "the source of a copy");
    if (!stream->lazy) {
        memcpy(to, from, bytes);
        return cudaSuccess;
    }
    memset(to, POISON, bytes);
    stream->waiting.push_back({ to, from, bytes });
    return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t rows, enum cudaMemcpyKind kind,
                              cudaStream_t stream)
{
    if (width > to_pitch || width > from_pitch)
        return cudaErrorInvalidValue;
    for (size_t i = 0; i < rows; i++)
        cudaMemcpyAsync((char *)to + i * to_pitch, (const char *)from + i * from_pitch, width, kind,
                        stream);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t)
{
    check_device(to, bytes, "cudaMemset");
    memset(to, value, bytes);
    return cudaSuccess;
}
