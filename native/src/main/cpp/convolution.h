// The three passes of a convolution: x [N,H,W,C], w [K,R,S,C/groups], y [N,P,Q,K], all row-major.
#pragma once
#include <vector>

#include "onednn_plan.h"

namespace ddpm {

// The order is that of nativelib.OneDnn's geometry.
struct Geometry {
    int n, h, w, c, k, r, s, p, q, stride, top, left, bottom, right, groups;

    bool pointwise() const {  // a product of matrices
        return r == 1 && s == 1 && stride == 1 && !top && !left && !bottom && !right && groups == 1;
    }
    bool depthwise() const { return groups == c && k == c && groups > 1; }
    Key key() const { return {n, h, w, c, k, r, s, p, q, stride, top, left, bottom, right, groups}; }
};

// Copies of one filter in the layouts that the passes want, each valid for one version of the filter's contents.
class PackedFilters {
public:
    // w in the layout `packed`; the reorder is run when this version has not been seen.
    const void* get(const Desc& packed, Plan& reorder, const void* w, int64_t version);

    // What winograd.cpp keeps, for filters as they are and for those turned round.
    struct Transformed {
        int64_t version = -1;
        int tile = 0;
        int filters = 0;  // a view of the same memory may have others, with other channels
        bool kept = false;
        Room room;
    };
    Transformed& transformed(bool turned) { return transformed_[turned]; }

private:
    struct Copy {
        Desc layout;
        int64_t version = -1;
        Room room;
    };
    std::vector<Copy> copies_;
    Transformed transformed_[2];
};

void convolution(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y,
                 PackedFilters& packed, int64_t version);
void convolution_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx,
                               PackedFilters& packed, int64_t version);
void convolution_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias);

}  // namespace ddpm
