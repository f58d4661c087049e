#include <clocale>

#include "parley/app.h"

int main(int argc, char** argv) {
  std::setlocale(LC_ALL, "");  // the line editor counts characters, not bytes
  return static_cast<int>(parley::cli::run(argc, argv));
}
