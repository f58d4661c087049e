// The three standard files, where whoever started the program closed some of them.
// Owned by: nobody. Called first thing in main, before any file or connection is opened.
#pragma once

namespace parley::base {

// A closed standard file's number would go to the next file, a connection say, and output into it. What
// stands there instead cannot be written (read, for input), as if it were closed still.
void occupy_standard_files();

}  // namespace parley::base
