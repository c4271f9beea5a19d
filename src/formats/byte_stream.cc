#include "formats/byte_stream.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"

namespace tern {
namespace {

constexpr size_t kInputBytes = size_t{1} << 17;
constexpr std::string_view kGzipMagic = "\x1F\x8B";
constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";

enum class Compression : uint8_t { kNone, kGzip, kZstd };

Compression compression_of(InputFile& file) {
  std::array<char, 4> first{};
  const std::string_view magic(first.data(), file.read(first));
  file.seek(0);
  const Compression found = magic.starts_with(kGzipMagic)   ? Compression::kGzip
                            : magic.starts_with(kZstdMagic) ? Compression::kZstd
                                                            : Compression::kNone;
  const std::string name = file.path().string();
  const bool says_gzip = name.ends_with(".gz"), says_zstd = name.ends_with(".zst");
  if ((says_gzip && found != Compression::kGzip) || (says_zstd && found != Compression::kZstd)) {
    fail("{}: expected {} data as its name says, the first bytes are something else", name,
         says_gzip ? "gzip" : "zstd");
  }
  return found;
}

}  // namespace

// One of the two libraries' states, and the compressed bytes it has not seen yet.
struct ByteStream::Decoder {
  Compression kind;
  std::vector<char> input = std::vector<char>(kInputBytes);
  size_t begin = 0, end = 0;  // of what is left in `input`
  bool is_between = false;    // members (gzip) or frames (zstd): the file may end here
  z_stream gzip{};
  ZSTD_DCtx* zstd = nullptr;

  explicit Decoder(Compression which) : kind(which) {
    constexpr int kGzipOnly = 16;
    const bool ok = kind == Compression::kGzip ? ::inflateInit2(&gzip, MAX_WBITS + kGzipOnly) == Z_OK
                                               : (zstd = ::ZSTD_createDCtx()) != nullptr;
    if (!ok) fail("no memory to decompress with");
  }
  ~Decoder() {
    if (kind == Compression::kGzip) ::inflateEnd(&gzip);
    ::ZSTD_freeDCtx(zstd);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Decompresses some of the input; returns how many bytes that gave, which may be none. Error with the library's
  // words.
  size_t step(std::span<char> out) { return kind == Compression::kGzip ? step_gzip(out) : step_zstd(out); }

  size_t step_gzip(std::span<char> out) {
    if (is_between) ::inflateReset(&gzip);
    gzip.next_in = reinterpret_cast<Bytef*>(input.data() + begin);
    gzip.avail_in = static_cast<uInt>(end - begin);
    gzip.next_out = reinterpret_cast<Bytef*>(out.data());
    const size_t wanted = std::min(out.size(), kInputBytes * 8);
    gzip.avail_out = static_cast<uInt>(wanted);
    const int code = ::inflate(&gzip, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      fail("damaged gzip data: {}", gzip.msg != nullptr ? gzip.msg : "no reason given");
    }
    begin = end - gzip.avail_in;
    is_between = code == Z_STREAM_END;
    return wanted - gzip.avail_out;
  }

  size_t step_zstd(std::span<char> out) {
    ZSTD_inBuffer in{input.data() + begin, end - begin, 0};
    ZSTD_outBuffer into{out.data(), out.size(), 0};
    const size_t code = ::ZSTD_decompressStream(zstd, &into, &in);
    if (::ZSTD_isError(code) != 0) fail("damaged zstd data: {}", ::ZSTD_getErrorName(code));
    begin += in.pos;
    is_between = code == 0;
    return into.pos;
  }
};

ByteStream::ByteStream(const std::filesystem::path& path) : file_(path) {
  const Compression kind = compression_of(file_);
  if (kind != Compression::kNone) decoder_ = std::make_unique<Decoder>(kind);
}

ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;

// Decoders may hold output back that needs no more input: they are asked again before the file's end is believed.
size_t ByteStream::decode(std::span<char> out) {
  Decoder& decoder = *decoder_;
  size_t done = 0;
  while (done < out.size()) {
    if (decoder.begin == decoder.end) {
      decoder.begin = 0;
      decoder.end = file_.read(decoder.input);
      if (decoder.end == 0 && decoder.is_between) break;
    }
    const bool is_last = decoder.end == 0;
    const size_t size = decoder.step(out.subspan(done));
    done += size;
    if (is_last && size == 0 && !decoder.is_between) {
      fail("the compressed data ends too early, after {} bytes of the file; is it truncated?", file_.offset());
    }
  }
  return done;
}

size_t ByteStream::read(std::span<char> out) {
  size_t size = 0;
  if (decoder_ == nullptr) {
    size = file_.read(out);
  } else {
    with_context(file_.path().string(), [&] { size = decode(out); });
  }
  offset_ += size;
  return size;
}

void ByteStream::skip(uint64_t size) {
  if (decoder_ == nullptr) {
    offset_ = std::min(file_.size(), offset_ + size);
    file_.seek(offset_);
    return;
  }
  std::vector<char> passed(kInputBytes);
  for (uint64_t left = size; left > 0;) {
    const size_t got = read(std::span(passed).first(std::min<uint64_t>(left, passed.size())));
    if (got == 0) return;
    left -= got;
  }
}

uint64_t stream_size(const std::filesystem::path& path) {
  ByteStream stream(path);
  stream.skip(~uint64_t{0} >> 1);
  return stream.offset();
}

std::string_view without_compression_suffix(std::string_view name) {
  for (const std::string_view suffix : {".gz", ".zst"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

}  // namespace tern
