// What the libraries below would write to the terminal of whoever runs `parley`: nothing, since every error
// of theirs that matters comes back as an error of a call. Owned by: nobody. Once, before anything else.
#pragma once

namespace parley::cli {

// gRPC's stay where GRPC_VERBOSITY asks for them.
void silence_libraries();

}  // namespace parley::cli
