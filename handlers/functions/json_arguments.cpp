#include "handlers/functions/json_arguments.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "jobs/shared/json_text.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr unsigned parse_flags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;

// Parses one object and gives each member to `take`, an inner object or array as its JSON text. A Refusal is thrown
// only after the parser has returned: RapidJSON is not exception-safe.
class ObjectWalk {
 public:
    struct Member {
        std::string key;
        Argument value;
    };

    explicit ObjectWalk(std::string_view json) : json_(json), stream_(json.data(), json.size()) {}
    virtual ~ObjectWalk() = default;
    ObjectWalk(const ObjectWalk&) = delete;
    ObjectWalk& operator=(const ObjectWalk&) = delete;

    // Returns what is wrong with the text, "" if nothing is.
    [[nodiscard]] std::string walk() {
        if (!is_utf8(json_)) return "is not valid UTF-8";
        if (json_.find('\0') != std::string_view::npos) return "holds a NUL byte";
        rapidjson::Reader reader;
        const auto result = reader.Parse<parse_flags>(stream_, *this);
        if (refused_) throw Refusal(*refused_);
        if (!wrong_.empty()) return wrong_;
        if (result) return "";
        return std::string("is not well-formed JSON at byte ") + std::to_string(result.Offset()) + ": " +
               rapidjson::GetParseError_En(result.Code());
    }

    // RapidJSON's concept of a handler.
    bool Null() { return scalar(ArgumentForm::Literal, "null"); }
    bool Bool(bool truth) { return scalar(ArgumentForm::Literal, truth ? "true" : "false"); }
    bool RawNumber(const char* digits, rapidjson::SizeType size, bool) {
        return scalar(ArgumentForm::Number, {digits, size});
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        auto bytes = decoded({text, size});
        return bytes && scalar(ArgumentForm::Text, *bytes);
    }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        auto bytes = decoded({text, size});
        if (!bytes) return false;
        if (depth_ == 1) key_ = *std::move(bytes);
        return true;
    }
    bool StartObject() { return descend(); }
    bool StartArray() { return depth_ == 0 ? stop("is not a JSON object") : descend(); }
    bool EndObject(rapidjson::SizeType) { return ascend(); }
    bool EndArray(rapidjson::SizeType) { return ascend(); }
    // Numbers arrive as texts (parse_flags), but RapidJSON needs these to exist.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(std::int64_t) { return false; }
    bool Uint64(std::uint64_t) { return false; }
    bool Double(double) { return false; }

 private:
    virtual void take(Member member) = 0;

    bool stop(std::string wrong) {
        wrong_ = std::move(wrong);
        return false;
    }
    std::optional<std::string> decoded(std::string_view text) {
        auto bytes = bytes_of_json_text(text);
        if (!bytes) stop("holds a lone surrogate other than \\udc80 to \\udcff");
        return bytes;
    }
    bool scalar(ArgumentForm form, std::string_view text) {
        if (depth_ == 0) return stop("is not a JSON object");
        return depth_ > 1 || give({form, std::string(text)});
    }
    // The stream is at the bracket, in descend() and in ascend().
    bool descend() {
        if (depth_ == deepest_json) return stop("is nested deeper than " + std::to_string(deepest_json) + " levels");
        if (++depth_ == 2) compound_begin_ = stream_.Tell();
        return true;
    }
    bool ascend() {
        if (--depth_ != 1) return true;
        return give(
            {ArgumentForm::Compound, std::string(json_.substr(compound_begin_, stream_.Tell() + 1 - compound_begin_))});
    }
    bool give(Argument value) {
        try {
            take({std::move(key_), std::move(value)});
            return true;
        } catch (const Refusal& refusal) {
            refused_ = refusal;
            return false;
        }
    }

    std::string_view json_;
    rapidjson::MemoryStream stream_;
    std::size_t depth_ = 0;
    std::size_t compound_begin_ = 0;
    std::string key_;
    std::string wrong_;
    std::optional<Refusal> refused_;
};

class ArgumentWalk : public ObjectWalk {
 public:
    ArgumentWalk(std::string_view json, Arguments& arguments) : ObjectWalk(json), arguments_(arguments) {}

 private:
    void take(Member member) override { arguments_.add(std::move(member.key), std::move(member.value)); }
    Arguments& arguments_;
};

// Takes the one member of an object that was put around a value.
class ValueWalk : public ObjectWalk {
 public:
    using ObjectWalk::ObjectWalk;
    std::optional<Argument> value;
    bool is_one = false;

 private:
    void take(Member member) override {
        is_one = !value;
        value = std::move(member.value);
    }
};

// Stops at the first member that is not accepted.
class AcceptingHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, AcceptingHandler> {
 public:
    explicit AcceptingHandler(bool (*accepts)(std::string_view key, std::string_view text)) : accepts_(accepts) {}
    bool Default() { return false; }  // for what is not named below
    bool StartObject() { return !std::exchange(begun_, true); }
    bool EndObject(rapidjson::SizeType members) { return members > 0; }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        key_.assign(text, size);
        return true;
    }
    bool String(const char* text, rapidjson::SizeType size, bool) { return begun_ && accepts_(key_, {text, size}); }

 private:
    bool (*accepts_)(std::string_view key, std::string_view text);
    bool begun_ = false;
    std::string key_;
};

class TextPairWalk : public ObjectWalk {
 public:
    TextPairWalk(std::string_view json, std::string_view name, std::string_view accepted, std::size_t most)
        : ObjectWalk(json), name_(name), accepted_(accepted), most_(most) {}
    TextPairs pairs;

 private:
    void take(Member member) override {
        if (member.value.form != ArgumentForm::Text)
            throw wrong_argument(name_, "has a value that is not a text, for " + quoted(member.key), accepted_);
        if (pairs.size() == most_)
            throw wrong_argument(name_, "has more than " + std::to_string(most_) + " members", accepted_);
        pairs.emplace_back(std::move(member.key), std::move(member.value.text));
    }
    std::string_view name_;
    std::string_view accepted_;
    std::size_t most_;
};

void refuse_repeated_keys(const TextPairs& pairs, std::string_view name, std::string_view accepted) {
    std::vector<std::string_view> keys;
    keys.reserve(pairs.size());
    for (const auto& pair : pairs) keys.push_back(pair.first);
    std::ranges::sort(keys);
    const auto repeated = std::ranges::adjacent_find(keys);
    if (repeated != keys.end()) throw wrong_argument(name, "has the key " + quoted(*repeated) + " twice", accepted);
}

}  // namespace

void read_json_object(std::string_view json, Arguments& arguments) {
    const auto wrong = ArgumentWalk(json, arguments).walk();
    if (!wrong.empty())
        throw Refusal(200,
                      "The body " + wrong + ". Accepted: a JSON object in UTF-8 with the arguments as its members.");
}

Argument json_value(std::string_view name, std::string_view json) {
    const auto around = "{\"\":" + std::string(json) + "}";
    ValueWalk walk(around);
    const auto wrong = walk.walk();
    if (!wrong.empty() || !walk.is_one)
        throw wrong_argument(name, "is not JSON, although its type says so", "one JSON value in UTF-8");
    return *std::move(walk.value);
}

bool is_object_of_texts(std::string_view json, bool (*accepts)(std::string_view key, std::string_view text)) {
    rapidjson::MemoryStream stream(json.data(), json.size());
    AcceptingHandler handler(accepts);
    rapidjson::Reader reader;
    return !reader.Parse<rapidjson::kParseIterativeFlag>(stream, handler).IsError();
}

TextPairs object_of_texts(std::string_view name, const Argument& argument, std::string_view accepted,
                          std::size_t most_members) {
    const bool may_be_json = argument.form == ArgumentForm::Compound || argument.form == ArgumentForm::Text;
    if (!may_be_json) throw wrong_argument(name, "is not a JSON object", accepted);
    TextPairWalk object(argument.text, name, accepted, most_members);
    const auto wrong = object.walk();
    if (!wrong.empty()) throw wrong_argument(name, wrong, accepted);
    refuse_repeated_keys(object.pairs, name, accepted);
    return std::move(object.pairs);
}

std::vector<std::string> array_of_texts(std::string_view name, const Argument& argument, std::string_view accepted,
                                        std::size_t most) {
    const auto refuse = [&](const std::string& wrong) { throw wrong_argument(name, wrong, accepted); };
    const bool may_be_json = argument.form == ArgumentForm::Compound || argument.form == ArgumentForm::Text;
    if (!may_be_json) refuse("is not a JSON array");
    rapidjson::Document array;
    constexpr auto flags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    array.Parse<flags>(argument.text.data(), argument.text.size());
    if (array.HasParseError() || !array.IsArray()) refuse("is not a JSON array");
    if (array.Size() > most) refuse("has more than " + std::to_string(most) + " members");
    std::vector<std::string> texts;
    for (const auto& member : array.GetArray()) {
        if (!member.IsString()) refuse("has a member that is not a text");
        auto bytes = bytes_of_json_text({member.GetString(), member.GetStringLength()});
        if (!bytes) refuse("holds a lone surrogate other than \\udc80 to \\udcff");
        texts.push_back(*std::move(bytes));
    }
    return texts;
}

}  // namespace clamscanner
