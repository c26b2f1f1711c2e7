#include "onednn_plan.h"

#include <omp.h>

#include <cstdlib>

namespace ddpm {

// Nothing static of the process is ever destroyed: the virtual machine may exit while a thread still computes.

const dnnl::engine& engine() {
    static auto& cpu = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
    return cpu;
}

static dnnl::stream& stream() {
    static auto& only = *new dnnl::stream(engine());
    return only;
}

std::mutex& onednn_mutex() {
    static auto& mutex = *new std::mutex;
    return mutex;
}

int compute_threads() { return omp_get_max_threads(); }

Room::~Room() { std::free(data_); }

void Room::release() {
    std::free(data_);
    data_ = nullptr;
    bytes_ = 0;
}

void* Room::at_least(size_t bytes) {
    if (bytes > bytes_) {
        release();
        size_t rounded = (bytes + 63) / 64 * 64;
        data_ = std::aligned_alloc(64, rounded);
        if (!data_) throw std::bad_alloc();
        bytes_ = rounded;
    }
    return data_;
}

Room& scratch() {
    static thread_local Room room;
    return room;
}

static Room& scratchpad_room() {
    static auto& room = *new Room;
    return room;
}

Plan::Plan(dnnl::primitive primitive, Arguments arguments, const Desc& scratchpad)
    : primitive_(std::move(primitive)), scratch_bytes_(scratchpad.get_size()) {
    auto add = [&](int index, const Desc& desc) {
        memories_.push_back(dnnl::memory(desc, engine(), DNNL_MEMORY_NONE));
        arguments_.push_back({index, memories_.back().get()});
    };
    for (const auto& [index, desc] : arguments)
        if (!desc.is_zero()) add(index, desc);
    add(DNNL_ARG_SCRATCHPAD, scratchpad);
}

void Plan::run(std::initializer_list<const void*> addresses) {
    size_t i = 0;
    for (const void* address : addresses)
        if (i + 1 < memories_.size()) memories_[i++].set_data_handle(const_cast<void*>(address));
    if (scratch_bytes_) memories_.back().set_data_handle(scratchpad_room().at_least(scratch_bytes_));
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream().get(),
                                                   static_cast<int>(arguments_.size()), arguments_.data()),
                            "oneDNN could not execute a primitive");
}

std::unique_ptr<Plan> reorder_plan(const Desc& from, const Desc& to) {
    if (from == to) return nullptr;
    dnnl::reorder::primitive_desc pd(engine(), from, engine(), to, shared_scratchpad());
    return std::make_unique<Plan>(pd, Plan::Arguments{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

}  // namespace ddpm
