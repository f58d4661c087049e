#include "chat/state_row.h"

namespace parley::chat {

StateRowTable::StateRowTable(SQLite::Database& db)
    : load_(db,
            "SELECT applied, cluster_time_ms, wall_unix_ms, cluster_id, seed, forgotten_request, results, "
            "events, events_bytes, last_dropped_event FROM state WHERE id = 0"),
      store_(db,
             "UPDATE state SET applied = ?, cluster_time_ms = ?, wall_unix_ms = ?, cluster_id = ?, seed = ?, "
             "forgotten_request = ?, results = ?, events = ?, events_bytes = ?, last_dropped_event = ? "
             "WHERE id = 0") {}

StateRow StateRowTable::load() {
  Run run(load_);
  if (!run.step()) {
    throw_damaged("no row in table state");
  }
  StateRow row;
  row.applied = run.id<Position>(0);
  row.stamp = {.cluster_time_ms = run.integer(1), .wall_unix_ms = run.integer(2)};
  if (!run.text(3).empty()) {
    row.cluster_id.bytes = run.array<decltype(row.cluster_id.bytes)>(3);
  }
  row.seed = run.text(4);
  row.forgotten.bytes = run.array<decltype(row.forgotten.bytes)>(5);
  row.results = run.integer(6);
  row.events = run.integer(7);
  row.events_bytes = run.integer(8);
  row.last_dropped_event = run.id<Position>(9);
  return row;
}

void StateRowTable::store(const StateRow& row) {
  const Blob cluster_id = row.cluster_id.is_none() ? Blob{} : blob_of(row.cluster_id.bytes);
  Run(store_, row.applied, row.stamp.cluster_time_ms, row.stamp.wall_unix_ms, cluster_id, Blob{row.seed},
      blob_of(row.forgotten.bytes), row.results, row.events, row.events_bytes, row.last_dropped_event)
      .finish();
}

}  // namespace parley::chat
