# Makes one page of index.html and the style sheets and scripts that it names, and a .cc with its bytes and the
# Content-Security-Policy that lets exactly these run:
#   cmake -DPAGE=.../index.html -DOUTPUT=.../chat_page.cc -P EmbedPage.cmake

# 'sha256-...' of a text, as the policy wants it: base64, three hexadecimal digits to two letters.
function(source_hash text result)
  string(SHA256 hex "${text}")
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  string(REGEX MATCHALL "..." triples "${hex}00")
  set(base64 "")
  foreach(triple IN LISTS triples)
    math(EXPR high "0x${triple} / 64")
    math(EXPR low "0x${triple} % 64")
    string(SUBSTRING ${alphabet} ${high} 1 first)
    string(SUBSTRING ${alphabet} ${low} 1 second)
    string(APPEND base64 ${first}${second})
  endforeach()
  string(REGEX REPLACE ".$" "=" base64 "${base64}")
  set(${result} "'sha256-${base64}'" PARENT_SCOPE)
endfunction()

# Puts what `tag` (with @ for the file's name) refers to into the page, and its hashes into `hashes`.
function(put_inline tag begin end hashes)
  string(REPLACE "@" "([a-z_]+\\.[a-z]+)" pattern "${tag}")
  string(REGEX MATCHALL "${pattern}" found "${page}")
  set(list "")
  foreach(one IN LISTS found)
    string(REGEX REPLACE "${pattern}" "\\1" name "${one}")
    file(READ "${folder}/${name}" text)
    if(text MATCHES "</(script|style)")
      message(FATAL_ERROR "${name}: holds </script or </style, which would end it within the page")
    endif()
    source_hash("\n${text}" hash)
    string(APPEND list " ${hash}")
    string(REPLACE "${one}" "${begin}\n${text}${end}" page "${page}")
  endforeach()
  set(page "${page}" PARENT_SCOPE)
  set(${hashes} "${list}" PARENT_SCOPE)
endfunction()

get_filename_component(folder "${PAGE}" DIRECTORY)
file(READ "${PAGE}" page)
put_inline("<link rel=\"stylesheet\" href=\"@\">" "<style>" "</style>" styles)
put_inline("<script src=\"@\"></script>" "<script>" "</script>" scripts)
# Trusted types: no text becomes markup, whatever the scripts do.
string(CONCAT policy "default-src 'none'; script-src${scripts}; style-src${styles}; img-src data:; connect-src 'self'; "
                     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                     "require-trusted-types-for 'script'; trusted-types 'none'")
file(WRITE "${OUTPUT}.html" "${page}")
file(READ "${OUTPUT}.html" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REPEAT "0x..," 24 line)
string(REGEX REPLACE "(${line})" "\\1\n    " bytes "${bytes}")
file(WRITE "${OUTPUT}" "// Made by cmake/EmbedPage.cmake of src/server/web.
#include \"server/chat_page.h\"

namespace tern {
namespace {

const unsigned char kPage[] = {
    ${bytes}};

}  // namespace

std::string_view chat_page() { return {reinterpret_cast<const char*>(kPage), sizeof kPage}; }

std::string_view chat_page_policy() {
  return \"${policy}\";
}

}  // namespace tern
")
