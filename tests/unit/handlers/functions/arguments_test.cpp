#include "handlers/functions/arguments.h"

#include <boost/test/unit_test.hpp>

#include "handlers/functions/json_arguments.h"
#include "handlers/shared/media_type.h"
#include "jobs/shared/refusal.h"

using namespace clamscanner;
using namespace std::string_literals;

namespace {

Arguments given(std::string query, std::string content_type = "", std::string body = "") {
    Request request;
    request.query = std::move(query);
    request.content_type = std::move(content_type);
    request.body = std::move(body);
    return arguments_of(request);
}

Arguments json(std::string body) {
    return given("", "application/json", std::move(body));
}

std::string text(const Arguments& arguments, std::string_view name) {
    const auto* argument = arguments.find(name);
    return argument == nullptr ? "(missing)" : argument->text;
}

// Runs `read` and gives the refusal's sentence; "" if there is none.
template <class Read>
std::string refusal(Read read, int status = 200) {
    try {
        static_cast<void>(read());
    } catch (const Refusal& refused) {
        BOOST_TEST(refused.status() == status);
        return refused.what();
    }
    return "";
}

bool names(const std::string& sentence, std::string_view part) {
    return sentence.find(part) != std::string::npos;
}

const std::string form = "application/x-www-form-urlencoded";
const std::string multipart = "multipart/form-data; boundary=XX";

std::string part(const std::string& name, const std::string& value, const std::string& more = "") {
    return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n" + more + "\r\n" + value + "\r\n";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_query_is_decoded) {
    const auto arguments = given("a=1+2&b=%2F%ff&c&d=x=y&&e=");
    BOOST_TEST(text(arguments, "a") == "1 2");
    BOOST_TEST(text(arguments, "b") == "/\xff");
    BOOST_TEST(text(arguments, "c") == "");
    BOOST_TEST(text(arguments, "d") == "x=y");
    BOOST_TEST(text(arguments, "e") == "");
    BOOST_TEST(text(arguments, "f") == "(missing)");
}

BOOST_AUTO_TEST_CASE(bad_percent_encoding_is_refused_and_names_the_argument) {
    for (const char* query : {"last_id=%", "last_id=%4", "last_id=%4g", "last_id=5%"})
        BOOST_TEST(names(refusal([&] { return given(query); }), "\"last_id\""));
    BOOST_TEST(names(refusal([] { return given("la%zz=1"); }), "\"la%zz\""));
    BOOST_TEST(names(refusal([] { return given("", form, "x=%0"); }), "\"x\""));
}

BOOST_AUTO_TEST_CASE(the_name_of_an_argument_is_neither_empty_nor_too_long) {
    BOOST_TEST(refusal([] { return given("=1"); }) != "");
    BOOST_TEST(refusal([] { return given(std::string(257, 'n') + "=1"); }) != "");
    BOOST_TEST(refusal([] { return given(std::string(256, 'n') + "=1"); }) == "");
}

BOOST_AUTO_TEST_CASE(there_is_a_limit_to_how_many_arguments) {
    std::string query;
    for (std::size_t i = 0; i < most_arguments; ++i) query += "a" + std::to_string(i) + "=&";
    BOOST_TEST(refusal([&] { return given(query); }) == "");
    BOOST_TEST(refusal([&] { return given(query + "b="); }) != "");
}

BOOST_AUTO_TEST_CASE(arguments_from_all_sources_are_merged) {
    const auto arguments = given("a=1", "application/json; charset=UTF-8", R"({"b":"2","c":3})");
    BOOST_TEST(text(arguments, "a") == "1");
    BOOST_TEST(text(arguments, "b") == "2");
    BOOST_TEST(text(arguments, "c") == "3");
    BOOST_TEST(text(given("a=1", form, "b=2"), "b") == "2");
    BOOST_TEST(text(given("a=1", multipart, part("b", "2") + "--XX--\r\n"), "b") == "2");
}

BOOST_AUTO_TEST_CASE(the_same_value_twice_is_no_contradiction) {
    BOOST_TEST(text(given("a=1&a=1"), "a") == "1");
    BOOST_TEST(text(given("last_id=5", "application/json", R"({"last_id":5})"), "last_id") == "5");
}

BOOST_AUTO_TEST_CASE(two_values_are_refused_wherever_they_came_from) {
    BOOST_TEST(names(refusal([] { return given("a=1&a=2"); }), "\"a\""));
    BOOST_TEST(names(refusal([] { return given("a=1", "application/json", R"({"a":"2"})"); }), "\"a\""));
    BOOST_TEST(names(refusal([] { return json(R"({"a":"1","a":"2"})"); }), "\"a\""));
    BOOST_TEST(
        names(refusal([] { return given("", multipart, part("a", "1") + part("a", "2") + "--XX--"); }), "\"a\""));
}

BOOST_AUTO_TEST_CASE(json_values_keep_their_form_and_their_digits) {
    const auto arguments = json(R"({"n":9007199254740993,"x":1.50e+2,"t":true,"z":null,"o":{"a":[1,{}]},"l":[ ]})");
    BOOST_TEST(text(arguments, "n") == "9007199254740993");
    BOOST_TEST(text(arguments, "x") == "1.50e+2");
    BOOST_TEST((arguments.find("n")->form == ArgumentForm::Number));
    BOOST_TEST(text(arguments, "t") == "true");
    BOOST_TEST((arguments.find("z")->form == ArgumentForm::Literal));
    BOOST_TEST(text(arguments, "o") == R"({"a":[1,{}]})");
    BOOST_TEST(text(arguments, "l") == "[ ]");
    BOOST_TEST((arguments.find("l")->form == ArgumentForm::Compound));
}

BOOST_AUTO_TEST_CASE(a_body_that_is_not_one_json_object_is_refused) {
    for (const auto& body : {"[]"s, "1"s, "\"x\""s, "null"s, " "s, "{"s, "{} {}"s, "{}x"s, "{\"a\":1,}"s, "{a:1}"s,
                             "{'a':1}"s, "{\"a\":01}"s, "{\"a\":NaN}"s, "// c\n{}"s, "{}\0"s, "{\"a\":\"\0\"}"s,
                             "\xef\xbb\xbf{}"s, "{\"a\":\"\t\"}"s, "{\"a\":\"\\x\"}"s})
        BOOST_TEST(names(refusal([&] { return json(body); }), "a JSON object"), "accepted: " << body);
    BOOST_TEST(json(" {} \r\n").empty());
}

BOOST_AUTO_TEST_CASE(json_must_be_utf8) {
    BOOST_TEST(names(refusal([] { return json("{\"a\":\"\xff\"}"); }), "UTF-8"));
    BOOST_TEST(names(refusal([] { return json("{\"a\":\"\xed\xb2\x80\"}"); }), "UTF-8"));
    BOOST_TEST(names(refusal([] { return json("{\"a\":\"\xc0\x80\"}"); }), "UTF-8"));
}

BOOST_AUTO_TEST_CASE(an_escaped_byte_means_that_byte) {
    const auto arguments = json(R"({"a":"\udc80\uDCFFx","b":"\ud83e\udda0","c":"\u0000"})");
    BOOST_TEST(text(arguments, "a") == "\x80\xffx");
    BOOST_TEST(text(arguments, "b") == "\xf0\x9f\xa6\xa0");
    BOOST_TEST(text(arguments, "c") == "\0"s);
    // A surrogate encoded as bytes in a file name is written as three escapes and read back unchanged.
    BOOST_TEST(text(json(R"({"a":"\udced\udcb2\udc80"})"), "a") == "\xed\xb2\x80");
}

BOOST_AUTO_TEST_CASE(any_other_lone_surrogate_is_refused) {
    for (const char* escape :
         {"\\udc7f", "\\udd00", "\\udfff", "\\ud800", "\\ud800x", "\\ud800\\u0041", "\\udbff\\ud800"}) {
        BOOST_TEST(refusal([&] { return json(std::string("{\"a\":\"") + escape + "\"}"); }) != "", escape);
        BOOST_TEST(refusal([&] { return json(std::string("{\"") + escape + "\":1}"); }) != "", escape);
    }
}

BOOST_AUTO_TEST_CASE(json_may_be_nested_to_a_limit) {
    const auto nested = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    BOOST_TEST(refusal([&] { return json(nested(deepest_json)); }) == "");
    BOOST_TEST(names(refusal([&] { return json(nested(deepest_json + 1)); }), "nested"));
    BOOST_TEST(names(refusal([&] { return json("{\"a\":" + std::string(1'000'000, '[')); }), "nested"));
}

BOOST_AUTO_TEST_CASE(multipart_fields_are_read) {
    const auto arguments = given("", multipart,
                                 "preamble\r\n" + part("a", "1\r\n--X\r\n2") +
                                     part("b", "", "Content-Type: text/plain\r\ncontent-transfer-encoding: 8BIT\r\n") +
                                     "--XX--\r\nepilogue");
    BOOST_TEST(text(arguments, "a") == "1\r\n--X\r\n2");
    BOOST_TEST(text(arguments, "b") == "");
    BOOST_TEST(text(given("", "Multipart/Form-Data; boundary=\"XX\"", part("q\\\"q", "1") + "--XX--"), "q\"q") == "1");
}

BOOST_AUTO_TEST_CASE(a_part_with_a_type_of_json_is_a_json_value) {
    const std::string json_type = "Content-Type: application/json\r\n";
    const auto read = [&](const std::string& value) {
        return given("", multipart, part("a", value, json_type) + "--XX--");
    };
    BOOST_TEST((read(R"( {"/a":"x"} )").find("a")->form == ArgumentForm::Compound));
    BOOST_TEST(text(read(R"({"/a":"x"})"), "a") == R"({"/a":"x"})");
    BOOST_TEST(text(read("[1]"), "a") == "[1]");
    BOOST_TEST(text(read(R"("h\u006fme\udcff")"), "a") == "home\xff");
    BOOST_TEST((read("1").find("a")->form == ArgumentForm::Number));
    BOOST_TEST(read("true").flag("a"));
    for (const char* wrong : {"", "home", "{", "1,\"b\":2", "1,\"\":1", "1}", "{}}", "\"\\ud800\"", "\"\xff\"", "1 2"})
        BOOST_TEST(names(refusal([&] { return read(wrong); }), "\"a\" is not JSON"), wrong);
}

// What a page's script makes of form.append("a", new Blob([…], {type})), and what curl makes of -F a=@FILE;type=….
BOOST_AUTO_TEST_CASE(a_part_with_a_file_name_is_read_if_its_type_is_that_of_an_argument) {
    const auto read = [&](const std::string& file, const std::string& type, const std::string& value) {
        return given("", multipart, part("a\"; filename=\"" + file, value, type) + "--XX--");
    };
    const std::string json_type = "Content-Type: application/json\r\n";
    BOOST_TEST(text(read("blob", json_type, R"({"/a":"x"})"), "a") == R"({"/a":"x"})");
    BOOST_TEST(text(read("actions.json", json_type, R"("x")"), "a") == "x");
    BOOST_TEST(text(read("blob", "content-type: Application/JSON; charset=\"UTF-8\"\r\n", R"("x")"), "a") == "x");
    BOOST_TEST(text(read("blob", "Content-Type: text/plain;charset=utf-8\r\n", "x"), "a") == "x");
    BOOST_TEST(text(read("blob", "Content-Type: application/octet-stream\r\n", "x"), "a") == "x");
    BOOST_TEST(text(read("a", "", "x"), "a") == "x");  // Python's requests, of files={"a": "x"}
    for (const auto& [file, type] :
         {std::pair("blob", ""), std::pair("b", ""), std::pair("a", "Content-Type: image/png\r\n"),
          std::pair("x.png", "Content-Type: image/png\r\n"),
          std::pair("x", "Content-Type: application/octet-stream\r\n"),
          std::pair("blob", "Content-Type: application/json; charset=utf-16\r\n"),
          std::pair("x", "Content-Type: application/json,\r\n")})
        BOOST_TEST(names(refusal([&] { return read(file, type, "1"); }), "\"a\" is an uploaded file. Accepted: "),
                   type);
}

BOOST_AUTO_TEST_CASE(broken_multipart_is_refused) {
    const auto refused = [](const std::string& type, const std::string& body) {
        return refusal([&] { return given("", type, body); }) != "";
    };
    BOOST_TEST(refused("multipart/form-data", part("a", "1") + "--XX--"));
    BOOST_TEST(refused("multipart/form-data; boundary=", part("a", "1") + "--XX--"));
    BOOST_TEST(refused("multipart/form-data; boundary=" + std::string(71, 'X'), part("a", "1") + "--XX--"));
    BOOST_TEST(refused(multipart, "nothing"));
    BOOST_TEST(refused(multipart, part("a", "1")));  // no closing delimiter
    BOOST_TEST(refused(multipart, "--XXjunk\r\n\r\n1\r\n--XX--"));
    BOOST_TEST(refused(multipart, "--XX\r\n\r\n1\r\n--XX--"));  // nameless
    BOOST_TEST(refused(multipart, "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--XX--"));
    BOOST_TEST(refused(multipart, part("a", "1", "Content-Transfer-Encoding: base64\r\n") + "--XX--"));
    BOOST_TEST(refused(multipart, part("a", "1", "Content-Disposition: form-data; name=\"b\"\r\n") + "--XX--"));
    BOOST_TEST(refused(multipart, part("a\"; filename=\"f", "1") + "--XX--"));
    BOOST_TEST(refused(multipart, part("a\"; filename*=\"f", "1") + "--XX--"));
    BOOST_TEST(
        refused(multipart, part("a", "1", "Content-Type: text/plain\r\nContent-Type: text/plain\r\n") + "--XX--"));
}

BOOST_AUTO_TEST_CASE(another_type_of_body_is_415) {
    for (const char* type :
         {"", "text/plain", "application/xml", "application/json; charset=utf-16", "application/json,",
          "application/json; charset=utf-8; charset=utf-8", "application/json; x", "application/jsonx"})
        BOOST_TEST(names(refusal([&] { return given("", type, "{}"); }, 415), "application/json"), type);
    BOOST_TEST(given("", "text/plain", "").empty());
    BOOST_TEST(text(given("", "APPLICATION/JSON ; Charset=\"utf-8\";", R"({"a":1})"), "a") == "1");
}

BOOST_AUTO_TEST_CASE(an_object_may_come_as_an_object_or_as_a_text) {
    const std::string wanted = "an object";
    const auto pairs_of = [&](const Arguments& arguments) {
        return object_of_texts("actions", *arguments.find("actions"), wanted, 10);
    };
    const auto from_json = pairs_of(json(R"({"actions":{"/a":"delete","/\udcff":"ignore"}})"));
    const auto from_form = pairs_of(given("", form, R"(actions={"/a":"delete","/\udcff":"ignore"})"));
    const auto from_text = pairs_of(json(R"({"actions":"{\"/a\":\"delete\",\"/\\udcff\":\"ignore\"}"})"));
    const TextPairs expected = {{"/a", "delete"}, {"/\xff", "ignore"}};
    BOOST_TEST((from_json == expected));
    BOOST_TEST((from_form == expected));
    BOOST_TEST((from_text == expected));
}

BOOST_AUTO_TEST_CASE(an_object_of_texts_holds_texts_only_and_each_key_once) {
    const auto refused = [](const std::string& value) {
        return refusal([&] {
            const auto arguments = json("{\"actions\":" + value + "}");
            return object_of_texts("actions", *arguments.find("actions"), "an object of this kind", 3);
        });
    };
    for (const char* value : {"5", "true", "null", "[]", "[{\"a\":\"b\"}]", "\"\"", "\"x\"", "\"[]\"", "{\"a\":5}",
                              "{\"a\":null}", "{\"a\":[]}", "{\"a\":{}}", "{\"a\":\"x\",\"a\":\"y\"}",
                              "{\"a\":\"x\",\"\\u0061\":\"x\"}", "{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\"}"}) {
        const auto sentence = refused(value);
        BOOST_TEST(names(sentence, "\"actions\""), value);
        BOOST_TEST(names(sentence, "Accepted: an object of this kind."), value);
    }
    BOOST_TEST(refused("{\"a\":\"\",\"b\":\"\",\"c\":\"\"}") == "");
}

namespace {

constexpr CompoundArgument actions{"actions", CompoundArgument::Kind::Object};
constexpr CompoundArgument ids{"ids", CompoundArgument::Kind::Array};

Arguments in_pieces(const CompoundArgument& compound, std::string query, std::string type = "", std::string body = "") {
    Request request;
    request.query = std::move(query);
    request.content_type = std::move(type);
    request.body = std::move(body);
    return arguments_of(request, &compound);
}

}  // namespace

// As jQuery and PHP's http_build_query() write an object.
BOOST_AUTO_TEST_CASE(an_object_may_come_in_pieces) {
    const auto pairs_of = [](const Arguments& arguments) {
        return object_of_texts("actions", *arguments.find("actions"), "", 10);
    };
    const TextPairs expected = {{"/a", "delete"}, {"/b[1].php", "ignore"}};
    const std::string plain = "actions[/a]=delete&actions[/b[1].php]=ignore";
    const std::string encoded = "actions%5B%2Fa%5D=delete&actions%5b%2fb%5B1%5D.php%5d=ignore";
    BOOST_TEST((pairs_of(in_pieces(actions, plain)) == expected));
    BOOST_TEST((pairs_of(in_pieces(actions, encoded)) == expected));
    BOOST_TEST((pairs_of(in_pieces(actions, "", form, plain)) == expected));
    BOOST_TEST((pairs_of(in_pieces(actions, "", form, encoded)) == expected));
    BOOST_TEST((pairs_of(in_pieces(actions, "actions[/a]=delete", form, "actions[/b[1].php]=ignore")) == expected));
    BOOST_TEST((pairs_of(in_pieces(actions, "", multipart,
                                   part("actions[/a]", "delete") + part("actions[/b[1].php]", "ignore") + "--XX--")) ==
                expected));
    BOOST_TEST(
        (pairs_of(in_pieces(actions, "actions[/%FF%22%5C%0A%00]=%ff+%2b")) == TextPairs{{"/\xff\"\\\n\0"s, "\xff +"}}));
    BOOST_TEST((pairs_of(in_pieces(actions, "actions[/" + std::string(5000, 'x') + "]=delete")).size() == 1));
}

BOOST_AUTO_TEST_CASE(an_array_may_come_in_pieces) {
    for (const char* query : {"ids[]=a&ids[]=b", "ids[0]=a&ids[1]=b", "ids%5B%5D=a&ids%5B7%5D=b"}) {
        const auto arguments = in_pieces(ids, query);
        BOOST_TEST((array_of_texts("ids", *arguments.find("ids"), "", 10) == std::vector<std::string>{"a", "b"}),
                   query);
    }
}

BOOST_AUTO_TEST_CASE(an_array_may_hold_bytes_that_are_not_utf8) {
    const auto texts = [](const std::string& array) {
        const auto arguments = json(R"({"files":)" + array + "}");
        return array_of_texts("files", *arguments.find("files"), "", 10);
    };
    BOOST_TEST((texts(R"(["/\udcff\uDC80x","\ud83e\udda0"])") == std::vector<std::string>{"/\xff\x80x", "\U0001f9a0"}));
    BOOST_TEST(names(refusal([&] { return texts(R"(["\udc7f"])"); }), "lone surrogate"));
}

BOOST_AUTO_TEST_CASE(pieces_may_be_more_than_arguments_may) {
    std::string query = "x=1";
    for (std::size_t i = 0; i < 2 * most_arguments; ++i) query += "&actions[/" + std::to_string(i) + "]=ignore";
    const auto arguments = in_pieces(actions, query);
    BOOST_TEST(object_of_texts("actions", *arguments.find("actions"), "", 10000).size() == 2 * most_arguments);
    BOOST_TEST(text(arguments, "x") == "1");
}

BOOST_AUTO_TEST_CASE(pieces_that_are_broken_or_beside_the_whole_are_refused) {
    for (const char* query : {"actions[=x", "actions[/a=x", "actions[/a]b=x", "actions[/a]&actions=%7B%7D",
                              "actions=%7B%7D&actions[/a]=x", "actions[/a]=x&actions[/b=x"})
        BOOST_TEST(names(refusal([&] { return in_pieces(actions, query); }), "actions"), query);
    for (const char* query : {"ids[x]=a", "ids[0][]=a", "ids[-1]=a", "ids[=a"})
        BOOST_TEST(names(refusal([&] { return in_pieces(ids, query); }), "Accepted: ids[], or ids as JSON text."),
                   query);
    const auto twice = in_pieces(actions, "actions[/a]=x&actions[/a]=x");
    BOOST_TEST(names(refusal([&] { return object_of_texts("actions", *twice.find("actions"), "", 10); }), "twice"));
}

BOOST_AUTO_TEST_CASE(pieces_of_what_the_function_does_not_take_are_arguments_of_their_own) {
    BOOST_TEST(text(in_pieces(actions, "ids[]=a&actionsx[/a]=b"), "ids[]") == "a");
    BOOST_TEST(text(given("actions[/a]=x"), "actions[/a]") == "x");
}
