// What the components of the tests share. They need no library: their memory is one block that is never freed.
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define LENGTH(text) (sizeof(text) - 1)

static uint8_t *next_free = 0;

static void *allocate(uint32_t size, uint32_t align) {
  if (!next_free) next_free = (uint8_t *)(__builtin_wasm_memory_size(0) * 65536);
  uint8_t *start = (uint8_t *)(((uint32_t)next_free + align - 1) & -align);
  while ((uint32_t)start + size > __builtin_wasm_memory_size(0) * 65536)
    if (__builtin_wasm_memory_grow(0, (size >> 16) + 1) == (uint32_t)-1) __builtin_trap();
  next_free = start + size;
  return start;
}

EXPORT("cabi_realloc") void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
  uint8_t *made = allocate(size, align);
  for (uint32_t i = 0; i < old_size && i < size; i++) made[i] = ((uint8_t *)old)[i];
  return made;
}

static int32_t starts(const char *data, const char *with, int32_t length) {
  for (int32_t i = 0; i < length; i++)
    if (data[i] != with[i]) return 0;
  return 1;
}

typedef struct { char *data; int32_t length; } text;
typedef struct { uint8_t is_error; text value; } text_result;

/* The case of a variant is one byte. */
#define CASE(word) (*(uint8_t *)&(word))
