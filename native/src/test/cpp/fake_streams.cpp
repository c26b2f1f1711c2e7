// Streams, events, captures and graphs of the stand-in for libcuda. A stream does at once what it is asked for, unless it is
// being captured: then it writes it down, and a launch of the graph does it. A stream of the least priority does nothing before
// another waits for it, so that whoever forgets to wait, or uses a block again too early, gets wrong numbers here.
#include <time.h>

#include "fake_state.h"

struct Event {
    double ms = 0;
    bool recorded = false, captured = false;
    Stream *late = nullptr;    // the late stream that it was recorded on
    unsigned long after = 0;   // and how much of that comes before it
};
static Stream legacyStream;
static std::set<void *> streams, events, graphs, executables;

static std::set<Stream *> capturing;
Stream *streamOf(void *s) {
    if (reinterpret_cast<uintptr_t>(s) <= 2) return &legacyStream;
    return streams.count(s) ? static_cast<Stream *>(s) : nullptr;
}
extern "C" __attribute__((visibility("default"))) bool fakeCapturing(void *s) {
    Stream *stream = streamOf(s);
    return stream && (stream->capture || stream->origin);
}
extern "C" __attribute__((visibility("default"))) bool fakeForbiddenNow(const char *who) {
    bool forbidden = false;
    for (Stream *s : capturing)
        if (s->mode != 2) {
            s->spoiled = true;
            forbidden = true;
        }
    if (forbidden) fakeSay(who, "is not permitted while a stream is being captured; the capture is spoiled");
    return forbidden;
}
int submit(void *s, const char *who, std::function<int()> work) {
    Stream *stream = streamOf(s);
    if (!stream) return refuse(INVALID_HANDLE, who, "the stream does not exist");
    if (stream->late) {
        stream->waiting.push_back({{who, std::move(work)}, stream->origin != nullptr});
        return OK;
    }
    if (stream->capture) {
        if (stream->spoiled) return CAPTURE_INVALIDATED;
        stream->capture->push_back({who, std::move(work)});
        return OK;
    }
    if (stream == &legacyStream && !capturing.empty() && fakeForbiddenNow(who)) return 906;  // CAPTURE_IMPLICIT
    return work();
}
extern "C" __attribute__((visibility("default"))) int fakeSubmit(void *s, const char *who, std::function<void()> *work) {
    if (sticky) return sticky;
    std::function<void()> own = *work;
    return submit(s, who, [own] {
        own();
        return OK;
    });
}

// The waiting stream gets what the late one was asked for before the event.
static int catchUp(Stream *stream, Stream *late, unsigned long after) {
    while (late->begun < after) {
        Late next = std::move(late->waiting.front());
        if (next.captured != bool(stream->capture))
            return refuse(905, "cuStreamWaitEvent", next.work.name + " is part of a capture and the waiting stream is not, or the other way round");
        late->waiting.pop_front();
        late->begun++;
        int status = submit(stream, next.work.name.c_str(), std::move(next.work.run));
        if (status) return status;
    }
    return OK;
}
// What is waiting anywhere, for calls that wait for the whole device; what is captured stays.
int finishLate() {
    for (void *s : streams)
        for (Stream *late = static_cast<Stream *>(s); late->late && !late->waiting.empty() && !late->waiting.front().captured;) {
            Late next = std::move(late->waiting.front());
            late->waiting.pop_front();
            late->begun++;
            int status = next.work.run();
            if (status) return status;
        }
    return OK;
}

API cuStreamCreate(void **s, unsigned) {
    ENTER("cuStreamCreate");
    streams.insert(*s = new Stream);
    return OK;
}
API cuStreamCreateWithPriority(void **s, unsigned flags, int priority) {
    int status = cuStreamCreate(s, flags);
    if (!status) static_cast<Stream *>(*s)->late = priority == LEAST_PRIORITY;
    return status;
}
API cuStreamDestroy_v2(void *s) {
    ENTER("cuStreamDestroy");
    if (int status = finishLate()) return status;
    if (!streams.erase(s)) return INVALID_HANDLE;
    capturing.erase(static_cast<Stream *>(s));
    delete static_cast<Stream *>(s);
    return OK;
}
API cuStreamSynchronize(void *s) {
    ENTER("cuStreamSynchronize");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
        stream->spoiled = true;
        return refuse(CAPTURE_UNSUPPORTED, "cuStreamSynchronize", "the stream is being captured; the capture is spoiled");
    }
    if (stream == &legacyStream && fakeForbiddenNow("cuStreamSynchronize")) return 906;
    if (stream->late)
        if (int status = finishLate()) return status;
    return checkAll("cuStreamSynchronize");
}
API cuStreamQuery(void *s) {
    ENTER("cuStreamQuery");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
        stream->spoiled = true;
        return refuse(CAPTURE_UNSUPPORTED, "cuStreamQuery", "the stream is being captured; the capture is spoiled");
    }
    return OK;
}
API cuStreamWaitEvent(void *s, void *e, unsigned) {
    ENTER("cuStreamWaitEvent");
    if (!streamOf(s) || !events.count(e)) return INVALID_HANDLE;
    Stream *stream = streamOf(s);
    Event *event = static_cast<Event *>(e);
    if (stream->late) {  // what it waits for is done or written down, but for what is on late streams
        if (event->late && event->late != stream) return refuse(UNKNOWN, "cuStreamWaitEvent", "one late stream does not wait for another here");
        if (event->captured && !stream->origin) stream->origin = capturing.empty() ? nullptr : *capturing.begin();
        return OK;
    }
    if (event->captured && !stream->capture)
        return refuse(905, "cuStreamWaitEvent", "the event belongs to a capture and the stream does not");
    return event->late ? catchUp(stream, event->late, event->after) : int(OK);
}
typedef void (*HostFunction)(void *);
API cuLaunchHostFunc(void *s, HostFunction f, void *data) {
    ENTER("cuLaunchHostFunc");
    return submit(s, "cuLaunchHostFunc", [=] {
        f(data);
        return int(OK);
    });
}
static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}
API cuEventCreate(void **e, unsigned) {
    ENTER("cuEventCreate");
    events.insert(*e = new Event);
    return OK;
}
API cuEventDestroy_v2(void *e) {
    ENTER("cuEventDestroy");
    if (!events.erase(e)) return INVALID_HANDLE;
    delete static_cast<Event *>(e);
    return OK;
}
API cuEventRecord(void *e, void *s) {
    ENTER("cuEventRecord");
    if (!events.count(e)) return INVALID_HANDLE;
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    Event *event = static_cast<Event *>(e);
    event->captured = fakeCapturing(s);
    event->late = stream->late ? stream : nullptr;
    event->after = stream->begun + stream->waiting.size();
    if (stream->late) return OK;
    return submit(s, "cuEventRecord", [=] {
        static_cast<Event *>(e)->ms = now();
        static_cast<Event *>(e)->recorded = true;
        return int(OK);
    });
}
static int eventReady(const char *who, void *e) {
    if (!events.count(e)) return INVALID_HANDLE;
    if (static_cast<Event *>(e)->captured && !capturing.empty()) {
        fakeForbiddenNow(who);
        return 907;  // CAPTURED_EVENT
    }
    return OK;
}
API cuEventSynchronize(void *e) {
    ENTER("cuEventSynchronize");
    return eventReady("cuEventSynchronize", e);
}
API cuEventQuery(void *e) {
    ENTER("cuEventQuery");
    return eventReady("cuEventQuery", e);
}
API cuEventElapsedTime(float *ms, void *a, void *b) {
    ENTER("cuEventElapsedTime");
    if (!events.count(a) || !events.count(b)) return INVALID_HANDLE;
    if (!static_cast<Event *>(a)->recorded || !static_cast<Event *>(b)->recorded) return INVALID_HANDLE;
    *ms = static_cast<float>(static_cast<Event *>(b)->ms - static_cast<Event *>(a)->ms);
    return OK;
}
API cuEventElapsedTime_v2(float *ms, void *a, void *b) { return cuEventElapsedTime(ms, a, b); }

API cuStreamBeginCapture_v2(void *s, int mode) {
    ENTER("cuStreamBeginCapture");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    if (stream == &legacyStream) return refuse(CAPTURE_UNSUPPORTED, "cuStreamBeginCapture", "the legacy stream cannot be captured");
    if (stream->capture || mode < 0 || mode > 2) return stream->capture ? 900 : INVALID_VALUE;
    stream->capture = std::make_shared<Graph>();
    stream->mode = mode;
    stream->spoiled = false;
    capturing.insert(stream);
    return OK;
}
API cuStreamBeginCapture(void *s) { return cuStreamBeginCapture_v2(s, 0); }
API cuStreamEndCapture(void *s, void **g) {
    ENTER("cuStreamEndCapture");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    *g = nullptr;
    if (!stream->capture) return refuse(INVALID_VALUE, "cuStreamEndCapture", "the stream is not being captured");
    std::shared_ptr<Graph> recorded = std::move(stream->capture);
    stream->capture = nullptr;
    capturing.erase(stream);
    for (void *other : streams) {
        Stream *late = static_cast<Stream *>(other);
        if (late->origin != stream) continue;
        late->origin = nullptr;
        if (late->waiting.empty() || !late->waiting.back().captured) continue;
        late->begun += late->waiting.size();
        late->waiting.clear();
        return refuse(904, "cuStreamEndCapture", "another stream has joined the capture and was not waited for at its end");
    }
    if (stream->spoiled) return CAPTURE_INVALIDATED;
    graphs.insert(*g = new Graph(*recorded));
    return OK;
}
API cuStreamIsCapturing(void *s, int *status) {
    ENTER("cuStreamIsCapturing");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    *status = !stream->capture ? 0 : stream->spoiled ? 2 : 1;
    return OK;
}
API cuThreadExchangeStreamCaptureMode(int *mode) {
    *mode = 0;
    return OK;
}
API cuGraphGetNodes(void *g, void **, size_t *n) {
    ENTER("cuGraphGetNodes");
    if (!graphs.count(g)) return INVALID_VALUE;
    *n = static_cast<Graph *>(g)->size();
    return OK;
}
API cuGraphInstantiateWithFlags(void **x, void *g, unsigned long long flags) {
    if (planted("no room for a graph")) return OUT_OF_MEMORY;
    ENTER("cuGraphInstantiate");
    if (!graphs.count(g) || (flags & ~15ull)) return INVALID_VALUE;  // by node priority, upload, from the device, free on launch
    executables.insert(*x = new Graph(*static_cast<Graph *>(g)));
    return OK;
}
API cuGraphInstantiate_v2(void **x, void *g, void **, char *, size_t) { return cuGraphInstantiateWithFlags(x, g, 0); }
API cuGraphUpload(void *x, void *s) {
    ENTER("cuGraphUpload");
    return executables.count(x) && streamOf(s) ? OK : INVALID_VALUE;
}
API cuGraphLaunch(void *x, void *s) {
    ENTER("cuGraphLaunch");
    if (!executables.count(x) || !streamOf(s)) return INVALID_VALUE;
    if (fakeCapturing(s)) return refuse(CAPTURE_UNSUPPORTED, "cuGraphLaunch", "the stand-in does not record child graphs");
    for (auto &work : *static_cast<Graph *>(x)) {
        int status = work.run();
        if (status) return status;
    }
    return OK;
}
API cuGraphExecDestroy(void *x) {
    ENTER("cuGraphExecDestroy");
    if (!executables.erase(x)) return INVALID_VALUE;
    delete static_cast<Graph *>(x);
    return OK;
}
API cuGraphDestroy(void *g) {
    ENTER("cuGraphDestroy");
    if (!graphs.erase(g)) return INVALID_VALUE;
    delete static_cast<Graph *>(g);
    return OK;
}
