// What the cases assert again and again. Private to the cases.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

// Stops the step unless `result` holds a value, and tells its error.
#define PARLEY_ASSERT_OK(result)                                                      \
  ASSERT_TRUE((result).has_value()) << base::to_string((result).error().code) << ": " \
                                    << (result).error().message

// The call was refused with this code, as something that did not happen.
#define PARLEY_EXPECT_REFUSED(result, expected_code)                                                       \
  do {                                                                                                     \
    const auto& refused_result = (result);                                                                 \
    EXPECT_FALSE(refused_result.has_value());                                                              \
    if (!refused_result.has_value()) {                                                                     \
      EXPECT_EQ(base::to_string(refused_result.error().code), base::to_string(base::Code::expected_code)); \
      EXPECT_EQ(refused_result.error().outcome, base::Outcome::refused);                                   \
      EXPECT_NE(refused_result.error().reason, "");                                                        \
    }                                                                                                      \
  } while (false)
