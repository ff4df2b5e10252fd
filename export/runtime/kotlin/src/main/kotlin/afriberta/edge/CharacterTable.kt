// Made by `python -m export.character_table`; not to be edited.

package afriberta.edge

internal object CharacterTable {
    const val UNICODE = "14.0.0"
    const val TABLE =
        "X9S5X18SP6AP4NPFPD10NP6u26P5Al26P4X6SX26SP9oP2XP4n2AlP3noPn3Pu23Pu7l24Pl8ululululululululululululululululululu" +
        "lululululululululul2ulululululululul2ulululululululululululululululululululululululu2lulul3u2lulu2lu3l2u4lu2lu" +
        "3l3u2lu2lululu2lul2ulu2lu3lulu2l2oul3o4uoluoluolulululululululul2ululululululululul2uolulu3lululululululululul" +
        "ulululululululululululululululululululul7u2lu2l2ulu4lulululul69ol27o18P4o12P14o5P7oPoP17M79VM32ululoPulc2ol3Pu" +
        "c4P2uPu3cucu2lu17cu9l35ul2u3l3ulululululululululululul5ulPulu2l2u51l48ulululululululululululululululululPM7ulu" +
        "lulululululululululululululululululululululululululu2lulululululul2ulululululululululululululululululululululu" +
        "lululululululululululululululululululululululululululcu38c2oP6l41P2c2P3cM45PMPM2PM2PMc8o27c4o4P2c11X6P10M11PXP" +
        "3o43M21D10P4o2Mo99PoM7XPM6o2M2PM4o2D10o3P2oP14cXoMo30M27c2o89M11oc14D10o33M9o2P4oc2MP2o22M4oM9oM3oM5c2P15co25M" +
        "3c2Pco11c5o24Po6cX2c6M8o42M24XM33o54M3oM18oM7o10M2P2D10Po16M3co8c2o2c2o22co7coc3o4c2MoM7c2M2c2M3oc8Mc4o2co3M2c" +
        "2D10o2P2n6P2oPMc2M3co6c4o2c2o22co7co2co2co2c2McM5c4M2c2M3c3Mc7o4coc7D10M2o3MPc10M3co9co3co22co7co2co5c2MoM8cM3" +
        "cM3c2oc15o2M2c2D10P2c7oM6cM3co8c2o2c2o22co7co2co5c2MoM7c2M2c2M3c7M3c4o2co3M2c2D10Pon6c10Moco6c3o3co4c3o2coco2c" +
        "3o2c3o3c3o12c4M5c3M3cM4c2oc6Mc14D10n3P8c5M5o8co3co23co16c2MoM7cM3cM4c7M2co3c2oc2o2M2c2D10c7Pn7PoM3Po8co3co23co" +
        "10co5c2MoM7cM3cM4c7M2c6o2co2M2c2D10co2c13M4o9co3co41M2oM7cM3cM4oPc4o3Mn7o3M2c2D10n9Po6cM3co18c3o24co9coc2o7c3M" +
        "c4M6cMcM8c6D10c2M2Pc12o48Mo2M7c4Po7M8PD10P2c37o2coco5co24coco10Mo2M9oc2o5cocM6c2D10c2o4c32oP23M2P6D10n10PMPMPM" +
        "P4M2o8co36c4M20PM2o5M11cM36cP8MP6cP13c37o43M20oD10P6o6M4o4M3oM3o2M7o3M4o13M12oMD10M4P2u38cuc5uc2l43Pol3o329co4" +
        "c2o7coco4c2o41co4c2o33co4c2o7coco4c2o15co57co4c2o67c2M3P9n20c3o16P10c6u86c2l6c2Po620P2o17So26P2c3o75P3n3o8c7o1" +
        "8M4c9o19M3P2c9o18M2c12o13co3cM2c12o52M32P3oP4oMc2D10c6n10c6P11M3XMD10c6o89c7o5M2o34Moc5o70c10o31cM12c4M12c4Pc3" +
        "P2D10o30c2o5c11o44c4o26c6D10nc3P34o23M5c2P2o53M10cM29c2MD10c6D10c6P7oP6c2M31c49M5o47M17o8c3D10P17M9P11cM3o30M1" +
        "3o2D10o44M14c8P4o36M20c3P5D10c3o3D10o36P2l9c7u43c2u3P8c8M3PM21o4Mo6Mo2M3oc5l44o63l13ol34o37M64ulululululululul" +
        "ululululululululululululululululululululululululululululululululululululululululululululululululululululululul" +
        "ulululululululululululul9ululululululululululululululululululululululululululululululululululululululululululu" +
        "lulululululul9u8l6c2u6c2l8u8l8u8l6c2u6c2l8cucucucul8u8l14c2l8o8l8o8l8o8l5cl2u4oPlP3l3cl2u4oP3l4c2l2u4cP3l8u5P3" +
        "c2l3cl2u4oP2cS11X5P8A2PAP12S2X5SP2AP44SX5cX10noc2n6P5on10P5co13c3P33c15M33c15P2uP4uP2lu3l2u3lPuP3u5P6uPuPuPu4P" +
        "lu4lo4lP2l2u2P5ul4P4lPn51uln5P2c4P663c25P11c21n60P78n22P630n30P992c2P32cP105u48l48ulu3l2ulululu4lul2ul6o2u3lul" +
        "ulululululululululululululululululululululululululululululululululululululululululululululululul2P6ululM3ulc5P" +
        "4nP2l38clc5lc2o56c7oPc14Mo23c9o7co7co7co7co7co7co7co7cM32P47oP46c34P26cP89c12P214c26P12c4SP4o2nP25n9M6Po5P2n3o" +
        "2P3co86c2M2P2o3Po90Po4c5o43co94cP2n4P10o32P36c12o16P31cn10P30n8Pn15P32n10P39n15P320o6592P64o22157c3P55c9o46P2o" +
        "269P3o16D10o2c20ulululululululululululululululululululululululoM4PM10Poululululululululululululululo2M2o70n10M" +
        "2P6c8P23o9P2ululululululul3ulululululululululululululululululululululululululululululululol8ululu2lululululoP2" +
        "ululoulul3ululululululululululu5lu5lulululululululu4lulc5ulclclululc24o3ulo3lo7Mo3Mo4Mo23M5P4Mc3n6P4c6o52P4c8M" +
        "2o50M18c8P2D10c6M18o6P3oPo2MD10o28M8P2o23M13c11Po29c3M4o47M14P13coD10c4P2o5Mo10D10o5co41M14c9o3Mo8M2c2D10c2P4o" +
        "23P3oM3o50MoM3o2M2o5M2oMoc24o3P2o11M5P2o3M2c10o6c2o6c2o6c9o7co7cl43Po4l9oP2c4l80o35M8PM2c2D10c6o11172c12o23c4o" +
        "49c4P2048n6400o366c2o106c38l7c12l5c5oMo10Po13co5coco2co2co108P17c16o363P18o64c2o54c7Pc32o12P4V16P10c6M16P35cP1" +
        "9cP4c4o5co135c2XcP6AP8D10P7u26P6l26P11o89c3o6c2o6c2o6c2o3c3P7cP7c10X3P2c2o12co26co19co2co15c2o14c34o123c5P3c4n" +
        "45c3P9n57P17n2P3cP13c3Pc47P45Mc130o29c3o49c15Mn27c4o32n4c9o20no8nc5o38M5c5o30cPo36c4o8Pn5c42u40l40o78c2D10c6u3" +
        "6c4l36c4o40c8o52c11Pu11cu15cu7cu2cl11cl15cl7cl2c67o311c9o22c10o8c24o6co42co9c69o6c2oco44co2c3oc2o23cPn8o23P2n7" +
        "o31c8n9c48o19co2c5n5o22n6c3Po26c5Pc64o56c4n2o2n16c2n46oM3cM2c5M4o4co3co29c2M3c4Mn9c7P9c7o29n2Po29n3c32o8Po28M2" +
        "c4n5P7c9o54c3P7o22c2n8o19c5n8o18c7P4c12n7c80o73c55u51c13l51c7n6o36M4c8D10c294n31co42cM2Pc2o2c78o29n10oc8o22M11" +
        "n4P5c22o18M4P4c38o21n7c20o23c9M3o53M15P7c4n20D10Mo2M2oc9M4o45M11P2XP4Mc10Xc2o25c7D10c6M3o36M14cD10P4oM2oc8o35M" +
        "P2oc9M3o48M14o4P4M4PM2D10oPoP3cn20c11o18co25M12P6Mc65o7coco4co15co10Pc6o47M12c5D10c6M4co8c2o2c2o22co7co2co5cM2" +
        "oM7c2M2c2M3c2oc6Mc5o5M2c2M7c3M5c139o53M18o4P5D10P2cPMo3c30o48M20o2Poc8D10c166o47M7c2M9P23o4M2c34o48M17P3oc11D1" +
        "0c6P13c19o43M13oPc6D10c54o27c2M15c4D10n2P4o7c185o44M15Pc100u32l32D10n9c12o8c2oc2o8co2co24M6cM2c2M4oMoM2P3c9D10" +
        "c70o8c2o39M7c2M7oPoMc27oM10o40M7oM4P8Mc8oM11o46M16P3oP5c13o73c263o9co37M8cM8oP5c10D10n19c3P2o30c2M22cM14c73o7c" +
        "o2co38M6c3McM2cM7oMc8D10c6o6co2co32M5cM2cM5oc7D10c310o19M4P2c183oc15n21P29c13Po922c102n111cP5c11o196c2636o97P2" +
        "c13o1071cX9c4039o583c8633o569c7o31cD10c4P2o79cD10c6o30c2M5Pc10o48M7P9o4P2c10D10cn7co21c5o19c688u32l32n23P4c101" +
        "o75c4MoM55c7M4o13c64o2PoMc11M2c14o6136c8o1238c42o9c8935o4co7co2co291c45o3c17o4c8o396c2308o107c5o13c3o9c7o10c2P" +
        "M2PX4c4700M46c2M23c9P116c60P246c10P39c2P60M5P3M6X8M8P2M7P30M4P61c21P66M3Pc154n20c12P87c9n25c135u26l26u26l7cl18" +
        "u26l26ucu2c2uc2u2c2u4cu8l4clcl7cl11u26l26u2cu4c2u8cu7cl26u2cu4cu5cuc3u7cl26u26l26u26l26u26l26u26l26u26l26u26l2" +
        "8c2u25Pl25Pl6u25Pl25Pl6u25Pl25Pl6u25Pl25Pl6u25Pl25Pl6ulc2D50P512M55P4M50P8MP14MP7c15M5cM15c1104l10ol20c225M7cM" +
        "17c2M7cM2cM5c213o45c3M7o7c2D10c4oPc320o30Mc17o44M4D10c5Pc1248o7co4co2co15co197c2n9M7c41u34l34M7oc4D10c4P2c785n" +
        "59Pn3Pn4c76n45Pn15c194o4co27co2coc2oco10co4cococ6oc4ocococo3co2coc2ocococococo2coc2o4co7co4co4coco10co17c5o3co" +
        "5co17c52P2c270P2963cP55c37D10c1030o42720c32o4153c7o222c2o5762c14o7473c3103o542c1506o4939c715958Xc30X96c128V240" +
        "c65040n65534c2n65534c2"
}
