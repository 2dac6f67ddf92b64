// Follows what libclamav unpacks while it scans one file, and compares that with what the file holds. The library calls
// a file clean whatever it could not open in it: a member beyond the size limit, a compression that it lacks, the
// second of two archives, what a damaged archive no longer yields. Its callbacks (cl_engine_set_clcb_file_inspection,
// …_meta) tell of each layer and member that it does open. Runs in the worker's sandbox, as it reads hostile bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/engine/worker/unpacked_size.h"
#include "jobs/engine/worker/zip_directory.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// Changed with every change of what is called clean: verdicts that are remembered depend on it.
inline constexpr int unpacking_rules = 1;

// Of libclamav's description of a layer: LAYER_ATTRIBUTES_… in clamav.h.
struct LayerAttributes {
    bool normalised = false;  // a text rewritten for matching, not something unpacked
    bool decrypted = false;
};

class Unpacking {
 public:
    // `most_bytes`: of one member; libclamav scans no more of it than that. `most_in_all`: how much we unpack
    // ourselves.
    Unpacking(std::uint64_t most_bytes, std::uint64_t most_in_all) : most_bytes_(most_bytes), most_left_(most_in_all) {}

    // libclamav begins to scan a layer: the file itself (level 0) or something unpacked. `content` is valid only during
    // the call.
    void begin_layer(unsigned level, std::string_view type, std::string_view content, LayerAttributes attributes);
    // It has read the header of a member of an archive, and may unpack it next.
    void announce(std::string_view container_type, std::uint64_t size, bool encrypted);
    // After the scan: why it did not see all of the file; nothing if it did.
    [[nodiscard]] std::optional<UnscannedReason> reason();

 private:
    struct Layer {
        unsigned level = 0;
        std::string type;
        std::multimap<std::uint64_t, ZipMember> members;  // of a ZIP archive, by size: those not unpacked so far
        bool embedded = false;  // that archive follows something else, so its members may be a level deeper
        std::optional<UnpackedSize> streams;  // of a compressed file whose content libclamav may see in part only
        std::string copy;                  // of an archive that must be asked at its end why libclamav saw too little
        bool encrypted = false;            // an encrypted document
        bool announced = false;            // a member was
        bool incomplete = false;           // a member was announced and not unpacked, or not all of it
        std::uint64_t unpacked_bytes = 0;  // of the first thing unpacked
    };
    struct Announced {
        std::uint64_t size = 0;
        std::string type;  // of the archive
    };

    void take_unpacked(unsigned level, std::uint64_t size, LayerAttributes attributes);
    void end_announced(std::optional<std::uint64_t> size);
    void look_into(Layer& layer, std::string_view content);
    void look_into_zip(Layer& layer, std::string_view content);
    void look_for_embedded_zip(Layer& layer, std::string_view content);
    void expect(Layer& layer, const std::vector<ZipMember>& members);
    void end_layer(const Layer& layer);
    void end_7z(const Layer& layer);
    void end_gz(const Layer& layer);
    void end_streams(const Layer& layer, const UnpackedSize& streams);
    [[nodiscard]] UnpackedSize unpack(UnpackedSize (*archive)(std::string_view, std::uint64_t),
                                      std::string_view packed);
    void not_scanned(UnscannedReason reason);

    std::uint64_t most_bytes_;
    std::uint64_t most_left_;
    std::vector<Layer> layers_;
    std::optional<Announced> announced_;
    std::optional<UnscannedReason> reason_;
};

}  // namespace clamscanner
