// MailClient decrypts, verifies, signs and encrypts CMS with Bouncy Castle. It
// reads one request a line and answers "ok", or what went wrong:
//
//	decrypt MESSAGE KEYS.p12 OUT
//	verify SIGNATURE CONTENT ROOT.pem
//	sign CONTENT KEYS.p12 ALGORITHM detached|opaque OUT
//	encrypt CONTENT CBC|GCM pkcs1|oaep|ecdh OUT CERTIFICATE.pem...

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.spec.MGF1ParameterSpec;
import java.util.Arrays;
import java.util.Set;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cert.jcajce.JcaCertStoreBuilder;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSAuthEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedGenerator;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.CMSTypedData;
import org.bouncycastle.cms.KeyAgreeRecipientInformation;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.RecipientInfoGenerator;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.RecipientInformationStore;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;

@SuppressWarnings("unchecked") // a raw type of Bouncy Castle's
public class MailClient {
    public static void main(String[] args) throws Exception {
        BouncyCastleProvider provider = new BouncyCastleProvider();
        Security.addProvider(provider);
        System.out.println(provider.getVersionStr());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer = "ok";
            try {
                answer(line.split(" "));
            } catch (Exception e) {
                answer = ("no: " + e + ", " + e.getCause()).replaceAll("\\s", " ");
            }
            System.out.println(answer);
        }
    }

    static void answer(String[] words) throws Exception {
        switch (words[0]) {
            case "decrypt":
                Files.write(Path.of(words[3]), decrypt(read(words[1]), words[2]));
                return;
            case "verify":
                verify(read(words[1]), read(words[2]), read(words[3]));
                return;
            case "sign":
                Files.write(Path.of(words[5]), sign(read(words[1]), words[2], words[3], words[4].equals("opaque")));
                return;
            case "encrypt":
                Files.write(Path.of(words[4]), encrypt(read(words[1]), words[2], words[3], Arrays.copyOfRange(words, 5, words.length)));
                return;
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    static byte[] read(String name) throws Exception {
        return Files.readAllBytes(Path.of(name));
    }

    static final char[] password = "p".toCharArray();

    static KeyStore open(String keys) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(Path.of(keys))) {
            store.load(in, password);
        }
        return store;
    }

    static X509Certificate certificate(byte[] pem) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509", "BC").generateCertificate(new ByteArrayInputStream(pem));
    }

    static byte[] decrypt(byte[] message, String keys) throws Exception {
        KeyStore store = open(keys);
        String alias = store.aliases().nextElement();
        PrivateKey key = (PrivateKey) store.getKey(alias, password);
        X509CertificateHolder certificate = new X509CertificateHolder(store.getCertificate(alias).getEncoded());

        boolean authenticated = ContentInfo.getInstance(message).getContentType().equals(CMSObjectIdentifiers.authEnvelopedData);
        RecipientInformationStore recipients = authenticated
            ? new CMSAuthEnvelopedData(message).getRecipientInfos()
            : new CMSEnvelopedData(message).getRecipientInfos();
        for (RecipientInformation recipient : recipients) {
            if (recipient.getRID().match(certificate)) {
                return recipient.getContent(means(recipient, key, authenticated));
            }
        }
        throw new IllegalArgumentException("it is for others");
    }

    static Recipient means(RecipientInformation recipient, PrivateKey key, boolean authenticated) {
        if (recipient instanceof KeyAgreeRecipientInformation) {
            return new JceKeyAgreeEnvelopedRecipient(key).setProvider("BC");
        }
        return authenticated
            ? new JceKeyTransAuthEnvelopedRecipient(key).setProvider("BC")
            : new JceKeyTransEnvelopedRecipient(key).setProvider("BC");
    }

    static void verify(byte[] signature, byte[] content, byte[] root) throws Exception {
        CMSSignedData signed = new CMSSignedData(new CMSProcessableByteArray(content), signature);
        if (signed.getSignerInfos().size() != 1) {
            throw new IllegalArgumentException("it has not one signer");
        }
        SignerInformation signer = signed.getSignerInfos().iterator().next();
        X509CertSelector who = new X509CertSelector();
        who.setIssuer(signer.getSID().getIssuer().getEncoded());
        who.setSerialNumber(signer.getSID().getSerialNumber());

        X509Certificate anchor = certificate(root);
        CertStore others = new JcaCertStoreBuilder().setProvider("BC").addCertificates(signed.getCertificates()).build();
        PKIXBuilderParameters parameters = new PKIXBuilderParameters(Set.of(new TrustAnchor(anchor, null)), who);
        parameters.addCertStore(others);
        parameters.setRevocationEnabled(false);
        X509Certificate certificate = (X509Certificate) CertPathBuilder.getInstance("PKIX", "BC").build(parameters).getCertPath().getCertificates().get(0);
        if (!signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(certificate))) {
            throw new SecurityException("the signature does not fit");
        }
    }

    static byte[] sign(byte[] content, String keys, String algorithm, boolean opaque) throws Exception {
        KeyStore store = open(keys);
        String alias = store.aliases().nextElement();
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(new JcaSimpleSignerInfoGeneratorBuilder().setProvider("BC")
            .build(algorithm, (PrivateKey) store.getKey(alias, password), (X509Certificate) store.getCertificate(alias)));
        generator.addCertificates(new JcaCertStore(Arrays.asList(store.getCertificateChain(alias))));
        return generator.generate(new CMSProcessableByteArray(content), opaque).getEncoded();
    }

    static byte[] encrypt(byte[] content, String mode, String transport, String[] certificates) throws Exception {
        CMSEnvelopedGenerator generator = mode.equals("GCM") ? new CMSAuthEnvelopedDataGenerator() : new CMSEnvelopedDataGenerator();
        for (String name : certificates) {
            generator.addRecipientInfoGenerator(recipient(certificate(read(name)), transport));
        }
        CMSTypedData data = new CMSProcessableByteArray(content);
        if (generator instanceof CMSAuthEnvelopedDataGenerator) {
            OutputAEADEncryptor encryptor = (OutputAEADEncryptor) new JceCMSContentEncryptorBuilder(CMSAlgorithm.AES256_GCM).setProvider("BC").build();
            return ((CMSAuthEnvelopedDataGenerator) generator).generate(data, encryptor).getEncoded();
        }
        return ((CMSEnvelopedDataGenerator) generator).generate(data,
            new JceCMSContentEncryptorBuilder(CMSAlgorithm.AES256_CBC).setProvider("BC").build()).getEncoded();
    }

    static RecipientInfoGenerator recipient(X509Certificate certificate, String transport) throws Exception {
        switch (transport) {
            case "pkcs1":
                return new JceKeyTransRecipientInfoGenerator(certificate).setProvider("BC");
            case "oaep":
                return new JceKeyTransRecipientInfoGenerator(certificate, new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
                    PKCSObjectIdentifiers.id_RSAES_OAEP,
                    new OAEPParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, PSource.PSpecified.DEFAULT))).setProvider("BC");
            default:
                KeyPairGenerator ephemeral = KeyPairGenerator.getInstance("EC", "BC");
                ephemeral.initialize(((ECPublicKey) certificate.getPublicKey()).getParams());
                KeyPair pair = ephemeral.generateKeyPair();
                return new JceKeyAgreeRecipientInfoGenerator(CMSAlgorithm.ECDH_SHA256KDF, pair.getPrivate(), pair.getPublic(), CMSAlgorithm.AES256_WRAP)
                    .addRecipient(certificate).setProvider("BC");
        }
    }
}
