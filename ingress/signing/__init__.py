"""
Certificates by CertificateSigningRequest: a key is made here, and a signer of the cluster signs it.
"""
