#include "auth/base/dispatch.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

enum class Kind : std::uint16_t { Sum = 7, Question, Answer, Unknown };

struct Sum {
    static constexpr auto type = Kind::Sum;
    std::uint32_t number = 0;
    void fields(auto& wire) { wire.number(number); }
};
struct Answer {
    static constexpr auto type = Kind::Answer;
    std::string text;
    void fields(auto& wire) { wire.text(text, 16); }
};
struct Question {
    static constexpr auto type = Kind::Question;
    using Answer = ::Answer;
    std::string text;
    void fields(auto& wire) { wire.text(text, 16); }
};
struct Unknown {
    static constexpr auto type = Kind::Unknown;
    void fields(auto&) {}
};

struct Desk {
    std::uint64_t sum = 0;
    int context = 0;
    void take_sum(const Sum& more) { sum += more.number; }
    void take_question(Question question, int& who) {
        context = who++;
        sum = question.text.size();
    }
    Answer answer(const Question& question) { return {question.text + "!"}; }
};

std::string bytes_of(auto message) {
    return std::string(encode(message).bytes());
}

constexpr Handler<Desk, void, int&> messages[] = {handles<&Desk::take_sum>, handles<&Desk::take_question>};
constexpr Handler<Desk, Encoded> questions[] = {handles<&Desk::answer>};

}  // namespace

BOOST_AUTO_TEST_CASE(each_message_reaches_the_method_that_takes_it) {
    Desk desk;
    int who = 3;
    dispatch(messages, desk, bytes_of(Sum{40}), who);
    dispatch(messages, desk, bytes_of(Sum{2}), who);
    BOOST_TEST(desk.sum == 42U);
    dispatch(messages, desk, bytes_of(Question{"four"}), who);
    BOOST_TEST(desk.sum == 4U);
    BOOST_TEST(desk.context == 3);
    BOOST_TEST(who == 4);
}

BOOST_AUTO_TEST_CASE(an_answer_is_encoded) {
    Desk desk;
    BOOST_TEST(decode<Answer>(dispatch(questions, desk, bytes_of(Question{"yes"})).bytes()).text == "yes!");
}

BOOST_AUTO_TEST_CASE(a_message_without_a_row_is_malformed) {
    Desk desk;
    int who = 0;
    BOOST_CHECK_THROW(dispatch(messages, desk, bytes_of(Unknown{}), who), Malformed);
    BOOST_CHECK_THROW(dispatch(questions, desk, bytes_of(Sum{1})), Malformed);
}

BOOST_AUTO_TEST_CASE(a_message_cut_short_or_of_another_version_reaches_nobody) {
    Desk desk;
    int who = 0;
    auto bytes = bytes_of(Sum{1});
    BOOST_CHECK_THROW(dispatch(messages, desk, bytes.substr(0, bytes.size() - 1), who), Malformed);
    ++bytes[0];
    BOOST_CHECK_THROW(dispatch(messages, desk, bytes, who), Malformed);
    BOOST_TEST(desk.sum == 0U);
}
