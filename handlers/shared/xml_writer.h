// An object as XML: each member is an element, and an array one element after the other, each under the array's name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jobs/shared/object_writer.h"

namespace clamscanner {

// Appends one element to a text; key() gives its name.
class XmlWriter final : public ObjectWriter {
 public:
    explicit XmlWriter(std::string& xml) : xml_(xml) {}

    void key(std::string_view name) override { name_ = name; }
    void begin_object() override;
    void end_object() override;
    void begin_array() override {}
    void end_array() override {}
    // Any bytes. XML has no way to name a byte that is no character: it becomes U+FFFD.
    void text(std::string_view bytes) override;
    void number(std::uint64_t value) override;

 private:
    void tag(std::string_view begin) { xml_.append(begin).append(name_).append(">"); }

    std::string& xml_;
    std::string name_;
    std::vector<std::string> open_;
};

}  // namespace clamscanner
