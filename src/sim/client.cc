#include "sim/client.h"

#include <utility>

namespace parley::sim {
namespace {

constexpr Duration kHopMin{50};
constexpr Duration kHopMax{1'000};
constexpr Duration kAnswerWait{400'000};

}  // namespace

Clients::Clients(World& world, ClientOptions options, Rng rng, std::vector<raft::NodeId> nodes,
                 NodeOf node_of)
    : world_(world), options_(options), rng_(rng), nodes_(std::move(nodes)), node_of_(std::move(node_of)) {
  for (std::size_t i = 0; i < options_.count; ++i) {
    clients_.push_back(Client{.number = i + 1, .node = rng_.pick(nodes_)});
  }
}

void Clients::start() {
  for (Client& client : clients_) {
    think(client);
  }
}

void Clients::become_patient(std::vector<raft::NodeId> nodes) {
  nodes_ = std::move(nodes);
  options_.request_loss_percent = 0;
  options_.reply_loss_percent = 0;
  patient_ = true;
}

void Clients::note(const Client& client, std::string_view line) {
  world_.trace.note(world_.scheduler.now(), fmt::format("c{} {}", client.number, line));
}

void Clients::think(Client& client) {
  ++client.attempt;
  world_.scheduler.after(rng_.between(Duration(0), options_.think_max), [this, &client] {
    if (!stopped_) {
      begin(client);
    }
  });
}

void Clients::begin(Client& client) {
  client.attempts_of_operation = 0;
  client.reads = rng_.chance(options_.read_percent);
  client.patient = patient_;
  client.floor = world_.checkers.operation_begins();
  if (!client.reads) {
    ++next_value_;
    client.request = Request{next_value_, next_value_, rng_.below(options_.padding_max_bytes + 1)};
  }
  attempt(client);
}

void Clients::attempt(Client& client) {
  ++client.attempt;
  ++client.attempts_of_operation;
  note(client, client.reads ? fmt::format("reads at n{}", client.node.value())
                            : fmt::format("writes {} at n{}", client.request.value, client.node.value()));
  wait(client);
  if (rng_.chance(options_.request_loss_percent)) {
    world_.faults.count(Fault::request_lost);
    return;
  }
  world_.scheduler.after(rng_.between(kHopMin, kHopMax), [this, &client, attempt = client.attempt] {
    if (attempt != client.attempt) {
      return;
    }
    if (client.reads) {
      send_read(client);
    } else {
      send_write(client);
    }
  });
}

// An answer that does not come is an unknown outcome.
void Clients::wait(Client& client) {
  world_.scheduler.after(kAnswerWait, [this, &client, attempt = client.attempt] {
    if (attempt == client.attempt) {
      retry(client);
    }
  });
}

void Clients::retry(Client& client) {
  client.node = rng_.pick(nodes_);
  if (client.attempts_of_operation >= options_.attempts_max && !patient_) {
    world_.faults.count(Fault::client_gave_up);
    note(client, "gives up");
    think(client);
    return;
  }
  if (world_.options.plant == Plant::retry_as_new) {
    client.request.request_id += 1'000'000;
  }
  const std::uint64_t attempt_now = ++client.attempt;
  world_.scheduler.after(rng_.between(Duration(1'000), Duration(30'000)), [this, &client, attempt_now] {
    if (attempt_now == client.attempt) {
      attempt(client);
    }
  });
}

void Clients::deliver_reply(Client& client, std::uint64_t attempt, Scheduler::Action handle) {
  if (rng_.chance(options_.reply_loss_percent)) {
    world_.faults.count(Fault::reply_lost);
    return;
  }
  world_.scheduler.after(rng_.between(kHopMin, kHopMax),
                         [&client, attempt, handle = std::move(handle)]() mutable {
                           if (attempt == client.attempt) {
                             handle();
                           }
                         });
}

void Clients::send_write(Client& client) {
  node_of_(client.node)
      .write(client.request, [this, &client, attempt = client.attempt](const Answer& answer) {
        deliver_reply(client, attempt, [this, &client, answer] {
          if (answer.outcome != Outcome::done) {
            retry(client);
            return;
          }
          note(client, fmt::format("has written {} at {}", client.request.value, answer.position.value()));
          world_.checkers.write_done(client.floor, client.request, answer.position);
          ++writes_done_;
          patient_writes_done_ += client.patient ? 1 : 0;
          think(client);
        });
      });
}

void Clients::send_read(Client& client) {
  node_of_(client.node).read([this, &client, attempt = client.attempt](const ReadAnswer& answer) {
    deliver_reply(client, attempt, [this, &client, answer] {
      if (answer.outcome != Outcome::done) {
        retry(client);
        return;
      }
      note(client, fmt::format("has read up to {}", answer.observed.value()));
      world_.checkers.read_done(client.floor, answer.observed, answer.state_hash);
      ++reads_done_;
      think(client);
    });
  });
}

}  // namespace parley::sim
