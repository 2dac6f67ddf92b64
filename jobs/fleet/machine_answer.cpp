#include "jobs/fleet/machine_answer.h"

#include <arpa/inet.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <charconv>

#include "auth/base/wire.h"
#include "jobs/shared/json_text.h"

namespace clamscanner {
namespace {

constexpr std::int64_t latest_time_ms = 253'402'300'799'999;  // the end of the year 9999
constexpr std::uint64_t most_counted = INT32_MAX;             // clients of the interface keep counts in 32 bits
constexpr std::uint64_t highest_event = INT64_MAX;
constexpr std::size_t longest_code = 64;
constexpr std::size_t most_values_of_find = 256;

using Value = rapidjson::Value;

// At least as many as there are values, so that it is known before memory is taken for them: many times their text.
std::size_t separators_in(std::string_view json) {
    std::size_t count = 0;
    bool is_in_text = false;
    for (std::size_t place = 0; place < json.size(); ++place) {
        const char c = json[place];
        if (is_in_text && c == '\\') {
            ++place;
        } else if (c == '"') {
            is_in_text = !is_in_text;
        } else if (!is_in_text && (c == ',' || c == '[' || c == '{' || c == ':')) {
            ++count;
        }
    }
    return count;
}

rapidjson::Document document_of(std::string_view json, std::size_t limit, std::size_t most_values = SIZE_MAX) {
    if (json.size() > limit || !is_utf8(json)) throw Malformed("it is no JSON text of an acceptable length");
    if (separators_in(json) > most_values) throw Malformed("it has more values than any such answer");
    rapidjson::Document document;
    // Iterative: deep nesting must not exhaust the stack.
    document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    if (document.HasParseError() || !document.IsObject()) throw Malformed("it is no JSON object");
    return document;
}

// A name that stands there twice means one thing to one reader and another to the next: refused.
const Value* find(const Value& object, const char* name) {
    const Value* found = nullptr;
    for (const auto& member : object.GetObject()) {
        if (member.name != name) continue;
        if (found != nullptr) throw Malformed(std::string(name) + " is there twice");
        found = &member.value;
    }
    return found;
}

const Value& member(const Value& object, const char* name) {
    const auto* value = find(object, name);
    if (value == nullptr) throw Malformed(std::string("it lacks ") + name);
    return *value;
}

const Value& object_in(const Value& object, const char* name) {
    const auto& value = member(object, name);
    if (!value.IsObject()) throw Malformed(std::string(name) + " is no object");
    return value;
}

const Value& array_in(const Value& object, const char* name, std::size_t most) {
    const auto& value = member(object, name);
    if (!value.IsArray() || value.Size() > most) throw Malformed(std::string(name) + " is no array of that length");
    for (const auto& item : value.GetArray())
        if (!item.IsObject()) throw Malformed(std::string(name) + " has something that is no object");
    return value;
}

std::uint64_t number_in(const Value& object, const char* name, std::uint64_t most) {
    const auto& value = member(object, name);
    if (!value.IsUint64() || value.GetUint64() > most) throw Malformed(std::string(name) + " is no such number");
    return value.GetUint64();
}

std::string_view view_of(const Value& object, const char* name, std::size_t most) {
    const auto& value = member(object, name);
    if (!value.IsString() || value.GetStringLength() > most) throw Malformed(std::string(name) + " is no such text");
    return {value.GetString(), value.GetStringLength()};
}

// "" where there is none.
std::string_view optional_text(const Value& object, const char* name, std::size_t most) {
    return find(object, name) == nullptr ? std::string_view() : view_of(object, name, most);
}

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string task_in(const Value& object) {
    const auto text = view_of(object, "TaskId", 32);
    if (text.size() != 32 || !is_hex(text)) throw Malformed("TaskId is no id of a scan");
    return std::string(text);
}

int status_in(const Value& data) {
    const auto status = number_in(data, "Status", 100);
    if (status != 0 && status != 10 && status != 100) throw Malformed("Status is neither 0, 10 nor 100");
    return static_cast<int>(status);
}

int percent_in(const Value& data) {
    const auto text = view_of(data, "Progress", 3);
    int percent = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), percent);
    if (fault != std::errc() || end != text.data() + text.size() || percent < 0 || percent > 100)
        throw Malformed("Progress is no percentage");
    return percent;
}

RiskLevel risk_in(const Value& data) {
    static constexpr std::string_view names[] = {"", "low", "medium", "high"};
    const auto* const name = std::ranges::find(names, optional_text(data, "RiskLevel", 6));
    if (name == std::end(names)) throw Malformed("RiskLevel is neither low, medium nor high");
    return static_cast<RiskLevel>(name - names);
}

// A machine speaks of itself alone.
void require_one_machine(const Value& data, const MachineStatistic& read) {
    const bool unfinished = number_in(data, "UnCompleteMachine", 1) == 1;
    const bool suspicious = number_in(data, "SuspiciousMachine", 1) == 1;
    if (number_in(data, "ScanMachine", 1) != 1 || unfinished == read.completed)
        throw Malformed("its counts of machines do not add up");
    if (suspicious != (read.infected > 0) || (read.risk != RiskLevel::None) != (read.infected > 0))
        throw Malformed("what it says of finds contradicts itself");
    if (read.safe && (!read.completed || read.infected > 0)) throw Malformed("it calls safe what is not");
    if ((read.completed && read.status != 100) || (read.percent == 100) != (read.status == 100))
        throw Malformed("it calls ended what is not");
}

std::string address_in(const Value& object, const char* name) {
    const std::string text(optional_text(object, name, INET_ADDRSTRLEN));
    in_addr address{};
    if (!text.empty() && ::inet_pton(AF_INET, text.c_str(), &address) != 1)
        throw Malformed(std::string(name) + " is no address");
    return text;
}

std::string uuid_in(const Value& object) {
    std::string text(view_of(object, "Uuid", 36));
    if (text.size() != 36) throw Malformed("Uuid is none");
    for (std::size_t place = 0; place < text.size(); ++place) {
        const bool is_dash = place == 8 || place == 13 || place == 18 || place == 23;
        if (is_dash ? text[place] != '-' : !is_hex(text.substr(place, 1))) throw Malformed("Uuid is none");
    }
    return text;
}

// Those of ASCII, and U+0080 to U+009F, which some terminals obey as well.
bool has_control_character(std::string_view text) {
    for (std::size_t place = 0; place < text.size(); ++place) {
        const auto byte = static_cast<unsigned char>(text[place]);
        if (byte < 0x20 || byte == 0x7f) return true;
        if (byte == 0xc2 && place + 1 < text.size() && static_cast<unsigned char>(text[place + 1]) < 0xa0) return true;
    }
    return false;
}

std::string virus_in(const Value& object) {
    const auto text = view_of(object, "EventName", longest_virus_name);
    // RapidJSON decodes a lone surrogate to what is no UTF-8.
    if (text.empty() || has_control_character(text) || !is_utf8(text))
        throw Malformed("EventName is no name of a signature");
    return std::string(text);
}

std::string path_in_details(const Value& object) {
    const auto& details = array_in(object, "Details", 16);
    for (const auto& detail : details.GetArray()) {
        if (view_of(detail, "NameDisplay", 64) != "Path") continue;
        // Three bytes decoded are at most one byte of the path.
        auto path = bytes_of_json_text(view_of(detail, "ValueDisplay", 3 * longest_path));
        if (!path || path->size() > longest_path || !path->starts_with('/') || path->find('\0') != path->npos)
            throw Malformed("a find has no acceptable path");
        return *std::move(path);
    }
    throw Malformed("a find has no path");
}

MachineFinding finding_in(const Value& object) {
    MachineFinding finding;
    finding.event = number_in(object, "EventId", highest_event);
    finding.found_ms = static_cast<std::int64_t>(number_in(object, "LastTimeStamp", latest_time_ms));
    finding.virus = virus_in(object);
    finding.path = path_in_details(object);
    return finding;
}

}  // namespace

MachineStatistic read_machine_statistic(std::string_view json) {
    const auto document = document_of(json, longest_machine_answer);
    const auto& data = object_in(document, "Data");
    MachineStatistic read;
    read.ever = !data.ObjectEmpty();
    if (!read.ever) return read;
    read.task = task_in(data);
    read.begun_ms = static_cast<std::int64_t>(number_in(data, "ScanTime", latest_time_ms));
    read.status = status_in(data);
    read.percent = percent_in(data);
    read.infected = number_in(data, "SuspiciousCount", most_counted);
    read.risk = risk_in(data);
    read.completed = number_in(data, "CompleteMachine", 1) == 1;
    read.safe = number_in(data, "SafeMachine", 1) == 1;
    require_one_machine(data, read);
    return read;
}

bool is_of_whole_machine(std::string_view task) noexcept {
    return task.size() == 32 && task[16] >= '8';  // '8', '9', 'a' … 'f'
}

MachineIdentity read_machine_identity(std::string_view json, std::string_view task) {
    const auto document = document_of(json, longest_machine_answer);
    const auto& list = array_in(document, "List", 1);
    if (list.Empty() || task_in(list[0]) != task) throw Malformed("its list lacks its latest scan");
    return {uuid_in(list[0]), address_in(list[0], "InternetIp"), address_in(list[0], "IntranetIp")};
}

MachineFindings read_machine_findings(std::string_view json, std::size_t most) {
    const auto document = document_of(json, longest_page_of_finds, most_values_of_find * (most + 1));
    MachineFindings read;
    read.total = number_in(object_in(document, "PageInfo"), "TotalCount", most_counted);
    const auto& list = array_in(document, "Data", most);
    for (const auto& item : list.GetArray()) read.findings.push_back(finding_in(item));
    return read;
}

std::string read_refusal_code(std::string_view json) noexcept try {
    const auto document = document_of(json, longest_machine_answer);
    const auto code = view_of(document, "Code", longest_code);
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.'; };
    return std::ranges::all_of(code, fits) ? std::string(code) : "";
} catch (const std::exception&) {
    return "";
}

}  // namespace clamscanner
