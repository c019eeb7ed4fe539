/* Needs an option that nobody has given. */
#define BAD_SCHEMA                                                                                 \
  "{\"type\":\"object\",\"required\":[\"model\"],\"properties\":{\"model\":{\"type\":\"string\"}}" \
  "}"
#include "bad.h"
