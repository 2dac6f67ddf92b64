// Which method takes which message: the one way of every program to hand a message on. A table names the methods; what
// each of them takes is its own first parameter, so that no row can name one message and decode another:
//
//     static constexpr Handler<Job, void> table[] = {handles<&Job::take_progress>, handles<&Job::take_failure>};
//     dispatch(table, *this, packet.bytes);
//
// A message that no row takes is Malformed, and the session that sent it ends.
#pragma once

#include <algorithm>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "auth/base/wire.h"

namespace clamscanner {

// A row of a table. `Context`: what the methods may want to know beside the message, such as who sent it.
template <class Self, class Result, class... Context>
struct Handler {
    std::uint16_t type;
    Result (*call)(Self& self, std::string_view bytes, Context... context);
};

template <class Method>
struct MethodTraits;
template <class ItsResult, class Self, class Parameter, class... More>
struct MethodTraits<ItsResult (Self::*)(Parameter, More...)> {
    using Message = std::remove_cvref_t<Parameter>;
    using Result = ItsResult;
};

// A method as a row of whatever table it stands in. It takes the message, and the table's context or nothing of it.
// In a table of answers (its Result is Encoded) it returns the answer that belongs to the question, or an Encoded.
template <auto method>
struct Handles {
    using Message = typename MethodTraits<decltype(method)>::Message;

    template <class Self, class Result, class... Context>
    // NOLINTNEXTLINE(google-explicit-constructor): a table lists methods, not conversions
    constexpr operator Handler<Self, Result, Context...>() const {
        return {static_cast<std::uint16_t>(Message::type), &call<Self, Result, Context...>};
    }

 private:
    template <class Self, class Result, class... Context>
    static Result call(Self& self, std::string_view bytes, Context... context) {
        if constexpr (std::is_same_v<Result, Encoded>) {
            static_assert(
                std::is_same_v<decltype(pass<Self, Context...>(self, bytes, context...)), typename Message::Answer>);
            return encode(pass<Self, Context...>(self, bytes, context...));
        } else {
            return pass<Self, Context...>(self, bytes, context...);
        }
    }
    template <class Self, class... Context>
    static decltype(auto) pass(Self& self, std::string_view bytes, Context... context) {
        if constexpr (std::is_invocable_v<decltype(method), Self&, Message, Context...>)
            return (self.*method)(decode<Message>(bytes), context...);
        else
            return (self.*method)(decode<Message>(bytes));
    }
};

template <auto method>
inline constexpr Handles<method> handles;

// Whether a row takes what `bytes` are. Throws Malformed if they are too short to be a message.
template <std::ranges::range Table>
[[nodiscard]] bool has_row(const Table& table, std::string_view bytes) {
    const auto type = type_of(bytes);
    return std::ranges::any_of(table, [&](const auto& one) { return one.type == type; });
}

// Throws Malformed when no row takes what `bytes` are, and when they are not exactly that message.
template <std::ranges::range Table, class Self, class... Context>
decltype(auto) dispatch(const Table& table, Self& self, std::string_view bytes, Context&&... context) {
    const auto type = type_of(bytes);
    const auto row = std::ranges::find_if(table, [&](const auto& one) { return one.type == type; });
    if (row == std::ranges::end(table)) throw Malformed("message " + std::to_string(type) + " is not expected here");
    return row->call(self, bytes, std::forward<Context>(context)...);
}

}  // namespace clamscanner
