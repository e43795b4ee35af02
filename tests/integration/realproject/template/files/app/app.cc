// Prints one line for each library it was linked with.
#include <cstdlib>
#include <cstring>

#include <cjson/cJSON.h>
#include <fmt/core.h>
#include <fribidi.h>
#include <lua.hpp>
#include <tinyxml2.h>
#include <zlib.h>

int main()
{
    fmt::print("fribidi: {}\n", fribidi_get_bidi_type_name(fribidi_get_bidi_type(0x05d0)));

    cJSON *value = cJSON_Parse("{\"word\": [1, 2]}");
    char *text = cJSON_PrintUnformatted(value);
    fmt::print("cjson: {}\n", text);
    std::free(text);
    cJSON_Delete(value);

    tinyxml2::XMLDocument document;
    document.Parse("<a b='c'/>");
    fmt::print("tinyxml2: {}\n", document.RootElement()->Attribute("b"));

    const char *words = "some words";
    fmt::print("zlib: {:x}\n", crc32(0, reinterpret_cast<const Bytef *>(words), std::strlen(words)));

    lua_State *state = luaL_newstate();
    luaL_dostring(state, "return 6 * 7");
    fmt::print("lua: {}\n", static_cast<long>(lua_tointeger(state, -1)));
    lua_close(state);
    return 0;
}
