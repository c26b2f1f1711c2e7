// As much of a PTX text as a loader needs: the kernels, the bytes of their parameters and of their shared memory.
#pragma once
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

struct PtxEntry {
    std::vector<int> sizes;
    size_t shared = 0;
};

// ".param .u64 name", ".param .align 4 .b8 name[76]": bytes.
inline int ptxBytes(const std::string &line) {
    size_t bracket = line.find('[');
    if (bracket != std::string::npos) return atoi(line.c_str() + bracket + 1);
    for (const char *type : {".u64", ".s64", ".b64", ".f64"})
        if (line.find(type) != std::string::npos) return 8;
    return 4;
}

inline std::map<std::string, PtxEntry> ptxEntries(const std::string &text) {
    std::map<std::string, PtxEntry> entries;
    PtxEntry *entry = nullptr;
    bool header = false;
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find('\n', at);
        if (end == std::string::npos) end = text.size();
        std::string line = text.substr(at, end - at);
        at = end + 1;
        size_t start = line.find(".entry ");
        if (start != std::string::npos) {
            std::string name = line.substr(start + 7);
            entry = &entries[name.substr(0, name.find_first_of("( "))];
            header = true;
        } else if (line.find(".func ") != std::string::npos) entry = nullptr;
        if (!entry) continue;
        if (header && line.find(".param ") != std::string::npos) entry->sizes.push_back(ptxBytes(line));
        if (line.find('{') == 0) header = false;
        if (!header && line.find(".shared .align") != std::string::npos && line.find(".b8") != std::string::npos)
            entry->shared += ptxBytes(line);
    }
    return entries;
}
