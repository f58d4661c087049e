// ClusterStatus: what every node of a cluster that can be reached says of itself, as a table for people.
// Owned by: `parley cluster status`. Its thread; asks the nodes on threads of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "client/client.h"
#include "parley/v1/api.pb.h"

namespace parley::cli {

// By node id.
using NodeViews = std::map<std::uint32_t, v1::GetStatusResponse>;

// `first` with the answers of all other nodes that answer in time: asked at `options.servers` and at the
// addresses that `first` names, all at once, each on its own. Of another cluster: left out.
[[nodiscard]] NodeViews ask_all_nodes(const v1::GetStatusResponse& first,
                                      const client::ClientOptions& options, std::chrono::milliseconds longest,
                                      const std::stop_token& stop);

// Every node that `first` names or that has answered; those that have not, as `first` sees them.
[[nodiscard]] std::vector<std::string> status_table(const v1::GetStatusResponse& first,
                                                    const NodeViews& views);

}  // namespace parley::cli
