// Recognises Office documents that need a password, which libclamav calls clean. Reads hostile bytes.
#pragma once

#include <string_view>

namespace clamscanner {

// `document`: a compound file (OLE2, [MS-CFB]): a .docx, .xlsx or .pptx is one once it is encrypted, and a .doc, .xls
// or .ppt always.
[[nodiscard]] bool is_encrypted_document(std::string_view document) noexcept;

}  // namespace clamscanner
