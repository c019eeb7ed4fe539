// Certificates for tests, made when needed: P-256 keys, valid for an hour, in PEM files in a
// temporary folder.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace bentohost::http {

struct Identity {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;
};

// A certificate for `name`, signed by `issuer` or, without one, self-signed, as a CA's.
inline Identity make_identity(const std::string& name, const Identity* issuer = nullptr) {
  static long serial = 0;
  const Identity self{{X509_new(), X509_free}, {EVP_EC_gen("P-256"), EVP_PKEY_free}};
  X509* certificate = self.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, self.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  const Identity& signer = issuer == nullptr ? self : *issuer;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
  if (issuer == nullptr) {
    X509_EXTENSION* is_ca =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(certificate, is_ca, -1);
    X509_EXTENSION_free(is_ca);
  }
  EXPECT_GT(X509_sign(certificate, signer.key.get(), EVP_sha256()), 0);
  return self;
}

// The functions return the path of the file that they wrote.
class CertificateFolder {
 public:
  CertificateFolder() {
    std::string name = testing::TempDir() + "certificates_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~CertificateFolder() { std::filesystem::remove_all(path_); }
  CertificateFolder(const CertificateFolder&) = delete;
  CertificateFolder& operator=(const CertificateFolder&) = delete;

  std::string file(const std::string& name) const { return path_ / name; }

  std::string text(const std::string& name, const std::string& content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }
  std::string certificate(const std::string& name, const Identity& identity) const {
    const File out = open(name);
    EXPECT_EQ(PEM_write_X509(out.get(), identity.certificate.get()), 1);
    return file(name);
  }
  std::string key(const std::string& name, const Identity& identity,
                  const std::string& password = {}) const {
    const File out = open(name);
    EXPECT_EQ(PEM_write_PKCS8PrivateKey(
                  out.get(), identity.key.get(), password.empty() ? nullptr : EVP_aes_256_cbc(),
                  password.data(), static_cast<int>(password.size()), nullptr, nullptr),
              1);
    return file(name);
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  File open(const std::string& name) const {
    File out(std::fopen(file(name).c_str(), "w"));
    EXPECT_NE(out, nullptr) << file(name);
    return out;
  }

  std::filesystem::path path_;
};

}  // namespace bentohost::http
