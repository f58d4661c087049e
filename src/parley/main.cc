#include <clocale>

#include "parley/app.h"

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");  // the line editor counts characters, not bytes; numbers stay as they are
  return static_cast<int>(parley::cli::run(argc, argv));
}
