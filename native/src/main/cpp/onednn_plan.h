// A oneDNN primitive made once for a shape, and called again with other addresses.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ddpm {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

const dnnl::engine& engine();

// One call at a time uses the plans and the scratchpad, whichever thread it comes from.
std::mutex& onednn_mutex();

// f32 or bf16.
using Type = dnnl::memory::data_type;

constexpr size_t bytes_of(Type type) { return type == Type::bf16 ? 2 : 4; }

// These extents, these strides in elements.
inline Desc strided(Type type, const Dims& extents, const Dims& strides) { return Desc(extents, type, strides); }

// These extents, the layout left to oneDNN.
inline Desc any_layout(Type type, const Dims& extents) {
    return Desc(extents, type, dnnl::memory::format_tag::any);
}

// The scratchpad belongs to us, so that all plans share one.
inline dnnl::primitive_attr shared_scratchpad() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
}

// 64-byte aligned memory that grows and does not shrink by itself.
class Room {
public:
    Room() = default;
    Room(Room&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    ~Room();
    void* at_least(size_t bytes);
    void release();

private:
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

// Memory of the calling thread for what does not outlive a call.
Room& scratch();

class Plan {
public:
    using Arguments = std::initializer_list<std::pair<int, Desc>>;

    template <class PrimitiveDesc>
    Plan(const PrimitiveDesc& pd, Arguments arguments) : Plan(dnnl::primitive(pd.get()), arguments, pd.scratchpad_desc()) {}

    // Addresses in the order of the arguments. An argument that may be absent comes last; its description is empty then.
    void run(std::initializer_list<const void*> addresses);

private:
    Plan(dnnl::primitive primitive, Arguments arguments, const Desc& scratchpad);

    dnnl::primitive primitive_;
    std::vector<dnnl::memory> memories_;
    std::vector<dnnl_exec_arg_t> arguments_;
    size_t scratch_bytes_;
};

// Copies one layout into another; nothing when they are the same.
std::unique_ptr<Plan> reorder_plan(const Desc& from, const Desc& to);

// What a plan was made for.
using Key = std::vector<int64_t>;

struct KeyHash {
    size_t operator()(const Key& key) const {
        uint64_t h = 14695981039346656037u;  // FNV-1a over whole words
        for (int64_t word : key) h = (h ^ static_cast<uint64_t>(word)) * 1099511628211u;
        return h ^ (h >> 32);
    }
};

// Plans by key; the number of threads is part of it, because oneDNN divides the work when a primitive is made.
template <class T>
class Plans {
public:
    template <class Make>
    T& get(Key key, Make make) {
        key.push_back(threads());
        auto found = plans_.find(key);
        if (found != plans_.end()) return *found->second;
        if (plans_.size() >= kMost) plans_.clear();
        return *plans_.emplace(std::move(key), make()).first->second;
    }

private:
    static constexpr size_t kMost = 1024;  // more shapes than any model has at once
    static int threads();
    std::unordered_map<Key, std::unique_ptr<T>, KeyHash> plans_;
};

int compute_threads();

template <class T>
int Plans<T>::threads() {
    return compute_threads();
}

}  // namespace ddpm
