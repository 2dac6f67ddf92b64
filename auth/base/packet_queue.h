// Queues packets for a peer that may not read them at once (its user may have stopped it). They are sent only by
// flush(): jobd calls it after the changes behind them are committed.
#pragma once

#include <deque>
#include <vector>

#include "auth/base/socket.h"

namespace clamscanner {

class PacketQueue {
 public:
    template <class Message>
    void add(Message&& message, std::vector<UniqueFd> descriptors = {}) {
        waiting_.push_back({encode(std::forward<Message>(message)), std::move(descriptors)});
    }
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }

    // Sends at most `at_most` packets. WouldBlock if the peer takes no more now.
    [[nodiscard]] Sent flush(int socket, std::size_t at_most) {
        for (; at_most > 0 && !waiting_.empty(); --at_most) {
            const auto& next = waiting_.front();
            const auto sent = send_packet(socket, next.encoded.bytes(), next.descriptors);
            if (sent != Sent::Yes) return sent;
            waiting_.pop_front();
        }
        return Sent::Yes;
    }

 private:
    struct Waiting {
        Encoded encoded;
        std::vector<UniqueFd> descriptors;
    };
    std::deque<Waiting> waiting_;
};

}  // namespace clamscanner
